import type { StatementSync } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';
import type { StoreEntry, StoreWrite } from './store.ts';

export interface SqliteEntriesOptions {
  readonly maxBytes: number;
  readonly fenceFor: number;
}

/** What a slice of cleaning may take: rows, and milliseconds. */
export interface SliceLimit {
  readonly rows: number;
  readonly time: number;
}

interface Counters {
  seq: number;
  forgotten: number;
}

interface Namespace {
  readonly id: number;
  readonly cleared: number;
}

interface Row {
  readonly seq: number;
  readonly live: number;
  readonly expires: number | null;
  readonly bytes: Uint8Array | null;
}

const NO_BYTES = new Uint8Array(0);
/** Rows that one write may push out; a file that is far too large is cut back in slices. */
const EVICTED_AT_ONCE = 1_000;

/**
 * The entries in a file, as statements. Everything here is to run inside of a transaction.
 *
 * The version of whatever was read is the number of the last change anywhere. A write with a version is carried out unless the key, or its namespace as a whole, has
 * changed after that. It takes no clock to tell: of keys whose row is gone, `forgotten` says how far back the file remembers.
 */
export class SqliteEntries {
  readonly #maxBytes: number;
  readonly #fenceFor: number;
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;
  readonly #pageSize: number;
  #evicted = 0;
  #swept = 0;

  constructor(file: SqliteFile, { maxBytes, fenceFor }: SqliteEntriesOptions) {
    this.#maxBytes = maxBytes;
    this.#fenceFor = fenceFor;
    this.#sql = statements(file);
    this.#pageSize = numberOf(file.prepare('PRAGMA page_size'));
  }

  get evicted(): number {
    return this.#evicted;
  }

  get swept(): number {
    return this.#swept;
  }

  /** Of the file, without pages that are free to be used again. */
  get bytes(): number {
    return (numberOf(this.#sql.pages) - numberOf(this.#sql.freePages)) * this.#pageSize;
  }

  read(name: string, keys: readonly string[], now: number): StoreEntry[] {
    const version = String(this.#counters().seq);
    const namespace = this.#namespace(name);
    return keys.map((key) => {
      const row = namespace && this.#row(namespace, key);
      const ttl = row === undefined || row.live === 0 ? 0 : row.expires === null ? Infinity : row.expires - now;
      return { bytes: ttl > 0 ? (row?.bytes ?? NO_BYTES) : undefined, ttl, version };
    });
  }

  write(name: string, writes: readonly StoreWrite[], now: number): boolean[] {
    return this.#change((counters) => {
      const namespace = this.#namespace(name) ?? this.#newNamespace(name, ++counters.seq);
      const written = writes.map((write) => {
        if (write.ifVersion !== undefined && !this.#isUnchanged(write, namespace, counters)) return false;
        // One that leaves no room for others counts as written and gone at once: it is no sign of a change by someone else.
        const isKept = write.bytes.length <= this.#maxBytes / 2;
        const ends = Math.floor(now + write.ttl);
        const expires = Number.isSafeInteger(ends) ? ends : null;
        this.#put(write.key, namespace, { seq: ++counters.seq, now, expires, bytes: isKept ? write.bytes : undefined });
        return true;
      });
      this.#evict(counters, { rows: EVICTED_AT_ONCE, time: Infinity });
      return written;
    });
  }

  delete(name: string, keys: readonly string[], now: number): void {
    this.#change((counters) => {
      const namespace = this.#namespace(name) ?? this.#newNamespace(name, ++counters.seq);
      for (const key of keys) this.#put(key, namespace, { seq: ++counters.seq, now, expires: null, bytes: undefined });
      this.#evict(counters, { rows: EVICTED_AT_ONCE, time: Infinity });
    });
  }

  /** A few rows are written, whatever the namespace holds. */
  clear(name: string): void {
    this.#change((counters) => {
      const seq = ++counters.seq;
      const namespace = this.#namespace(name);
      if (namespace !== undefined) this.#sql.bury.run(namespace.id);
      this.#sql.setNamespace.run(name, seq, seq);
    });
  }

  /** Removes rows that are of no more use, and some of the oldest when the file is too large. @returns whether there may be more */
  clean(now: number, limit: SliceLimit): boolean {
    return this.#change((counters) => {
      const until = performance.now() + limit.time;
      let left = limit.rows;
      const repeat = (step: () => number): void => {
        for (let done = 1; done > 0 && left > 0 && performance.now() < until;) {
          done = step();
          left -= done;
        }
      };
      repeat(() => this.#exhume());
      repeat(() => this.#count(this.#forget(this.#sql.deleteEnded.all(now), counters)));
      const evicted = this.#evict(counters, { rows: left, time: Math.max(0, until - performance.now()) });
      return evicted >= left || performance.now() >= until;
    });
  }

  /** Removes some rows of a namespace as it was before it was cleared. @returns how much work that was, 0 when there is none */
  #exhume(): number {
    const grave = this.#sql.grave.get() as { readonly id: number } | undefined;
    if (grave === undefined) return 0;
    const removed = this.#count(this.#sql.deleteBuried.all(grave.id).length);
    if (removed > 0) return removed;
    this.#sql.closeGrave.run(grave.id);
    return 1;
  }

  #count(swept: number): number {
    this.#swept += swept;
    return swept;
  }

  /** Removes the rows written longest ago until the file is small enough. */
  #evict(counters: Counters, { rows, time }: SliceLimit): number {
    if (this.#maxBytes === Infinity) return 0;
    const until = performance.now() + time;
    let removed = 0;
    while (removed < rows && this.bytes > this.#maxBytes && performance.now() < until) {
      const gone = this.#forget(this.#sql.deleteOldest.all(), counters);
      if (gone === 0) break;
      removed += gone;
    }
    this.#evicted += removed;
    return removed;
  }

  #forget(rows: readonly object[], counters: Counters): number {
    for (const row of rows) counters.forgotten = Math.max(counters.forgotten, (row as Row).seq);
    return rows.length;
  }

  #isUnchanged({ key, ifVersion }: StoreWrite, namespace: Namespace, counters: Counters): boolean {
    const version = Number(ifVersion);
    if (!(version >= namespace.cleared)) return false;
    return version >= (this.#row(namespace, key)?.seq ?? counters.forgotten);
  }

  #put(
    key: string,
    namespace: Namespace,
    row: {
      readonly seq: number;
      readonly now: number;
      readonly expires: number | null;
      readonly bytes: Uint8Array | undefined;
    },
  ): void {
    const { seq, now, expires, bytes } = row;
    const isLive = bytes !== undefined;
    // A row is kept a while after its value has ended: it tells that there was a change.
    const keptUntil = isLive && expires === null ? null : Math.max(isLive ? (expires ?? 0) : 0, now + this.#fenceFor);
    this.#sql.deleteKey.run(namespace.id, key);
    this.#sql.insert.run(seq, namespace.id, key, isLive ? 1 : 0, isLive ? expires : null, keptUntil, bytes ?? null);
  }

  #change<T>(work: (counters: Counters) => T): T {
    const counters = this.#counters();
    const before = { ...counters };
    const result = work(counters);
    if (counters.seq !== before.seq || counters.forgotten !== before.forgotten)
      this.#sql.setCounters.run(counters.seq, counters.forgotten);
    return result;
  }

  #counters(): Counters {
    const { seq, forgotten } = this.#sql.counters.get() as unknown as Counters;
    return { seq, forgotten };
  }

  #namespace(name: string): Namespace | undefined {
    return this.#sql.namespace.get(name) as Namespace | undefined;
  }

  #newNamespace(name: string, seq: number): Namespace {
    this.#sql.setNamespace.run(name, seq, 0);
    return { id: seq, cleared: 0 };
  }

  #row(namespace: Namespace, key: string): Row | undefined {
    return this.#sql.row.get(namespace.id, key) as Row | undefined;
  }
}

/** `LIMIT` is small where a row may be large. */
function statements(file: SqliteFile) {
  return {
    counters: file.prepare('SELECT seq, forgotten FROM counters WHERE id = 1'),
    setCounters: file.prepare('UPDATE counters SET seq = ?, forgotten = ? WHERE id = 1'),
    namespace: file.prepare('SELECT id, cleared FROM namespaces WHERE name = ?'),
    setNamespace: file.prepare('INSERT OR REPLACE INTO namespaces (name, id, cleared) VALUES (?, ?, ?)'),
    row: file.prepare('SELECT seq, live, expires, bytes FROM entries WHERE namespace = ? AND key = ?'),
    insert: file.prepare(
      'INSERT INTO entries (seq, namespace, key, live, expires, keep_until, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    deleteKey: file.prepare('DELETE FROM entries WHERE namespace = ? AND key = ?'),
    deleteOldest: file.prepare(
      'DELETE FROM entries WHERE seq = (SELECT seq FROM entries ORDER BY seq LIMIT 1) RETURNING seq',
    ),
    deleteEnded: file.prepare(
      'DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE keep_until <= ? ORDER BY keep_until LIMIT 16) RETURNING seq',
    ),
    bury: file.prepare('INSERT OR IGNORE INTO graves (id) VALUES (?)'),
    grave: file.prepare('SELECT id FROM graves LIMIT 1'),
    closeGrave: file.prepare('DELETE FROM graves WHERE id = ?'),
    deleteBuried: file.prepare(
      'DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE namespace = ? LIMIT 16) RETURNING seq',
    ),
    pages: file.prepare('PRAGMA page_count'),
    freePages: file.prepare('PRAGMA freelist_count'),
  };
}

function numberOf(statement: StatementSync): number {
  return Number(Object.values(statement.get() ?? {})[0]);
}
