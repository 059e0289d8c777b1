import type { StatementSync } from 'node:sqlite';
import type { SqliteCleaner } from './sqlite-cleaner.ts';
import type { SqliteFile } from './sqlite-file.ts';
import type { Counters, Namespace, SqliteLedger } from './sqlite-ledger.ts';
import type { SqliteLeases } from './sqlite-leases.ts';
import { checksumOf, parseTags } from './sqlite-row.ts';
import type { SqliteTags } from './sqlite-tags.ts';
import type { HeldLease, LeaseAnswer, LeaseRequest, StoreEntry, StoreWrite } from './store.ts';
import { toWellFormed } from './well-formed-text.ts';
import { NO_TAGS } from './no-tags.ts';

export interface SqliteEntriesOptions {
  readonly maxBytes: number;
  readonly fenceFor: number;
}

/** What entries live among. */
export interface SqliteParts {
  readonly ledger: SqliteLedger;
  readonly tags: SqliteTags;
  readonly leases: SqliteLeases;
  readonly cleaner: SqliteCleaner;
}

interface Row {
  readonly seq: number;
  readonly live: number;
  readonly expires: number | null;
  readonly tags: string | null;
  readonly sum: number;
  readonly bytes: Uint8Array | null;
}

/** What a write was made of. */
interface Read {
  readonly version: number;
  /** Of the entry to write. */
  readonly tags: readonly string[];
}

const NO_BYTES = new Uint8Array(0);
/**
 * The entries in a file, as statements. Everything here is to run inside of a transaction.
 *
 * The version of whatever was read is the number of the last change anywhere. A write with a version is carried out unless the key, one of its tags, or its namespace as a
 * whole has changed after that. It takes no clock to tell: of keys and tags whose row is gone, the counters say how far back the file remembers.
 */
export class SqliteEntries {
  readonly #options: SqliteEntriesOptions;
  readonly #parts: SqliteParts;
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;
  #damaged = 0;

  constructor(file: SqliteFile, parts: SqliteParts, options: SqliteEntriesOptions) {
    this.#options = options;
    this.#parts = parts;
    this.#sql = statements(file);
  }

  /** Entries that were not as they had been written when they were read. */
  get damaged(): number {
    return this.#damaged;
  }

  read(name: string, keys: readonly string[], now: number): StoreEntry[] {
    const { ledger, leases } = this.#parts;
    const { seq, leased } = ledger.counters();
    const version = String(seq);
    const namespace = ledger.namespace(toWellFormed(name));
    return keys.map((text) => {
      const key = toWellFormed(text);
      const found = namespace && this.#find(namespace.id, key, now);
      const leasedFor = namespace && leased !== 0 ? leases.leasedFor(namespace.id, key, now) : 0;
      return { bytes: found?.bytes, ttl: found?.ttl ?? 0, tags: found?.tags ?? NO_TAGS, leasedFor, version };
    });
  }

  write(name: string, writes: readonly StoreWrite[], now: number): boolean[] {
    const { ledger, leases, cleaner } = this.#parts;
    return ledger.change((counters) => {
      const namespace = ledger.ensureNamespace(toWellFormed(name), counters);
      const written = writes.map((write) => {
        const key = toWellFormed(write.key);
        const { ifVersion, lease, tags = NO_TAGS } = write;
        if (
          ifVersion !== undefined &&
          !this.#isUnchanged(namespace, key, { version: Number(ifVersion), tags, counters })
        )
          return false;
        if (lease !== undefined && !leases.isLast(namespace.id, { key, token: lease })) return false;
        // One that leaves no room for others counts as written and gone at once: it is no sign of a change by someone else.
        const isKept = write.bytes.length <= this.#options.maxBytes / 2;
        if (isKept) this.#put(namespace, { ...write, key }, { counters, now });
        else this.#mark(namespace, key, { counters, now });
        return true;
      });
      cleaner.makeRoom(counters);
      return written;
    });
  }

  delete(name: string, keys: readonly string[], now: number): void {
    const { ledger, cleaner } = this.#parts;
    ledger.change((counters) => {
      const namespace = ledger.ensureNamespace(toWellFormed(name), counters);
      for (const key of keys) this.#mark(namespace, toWellFormed(key), { counters, now });
      cleaner.makeRoom(counters);
    });
  }

  /** A row is written for each tag, whatever has it. */
  invalidateTags(name: string, tags: readonly string[], at: number): void {
    const { ledger, cleaner } = this.#parts;
    ledger.change((counters) => {
      const { id } = ledger.ensureNamespace(toWellFormed(name), counters);
      this.#parts.tags.invalidate(id, tags, { counters, at });
      cleaner.makeRoom(counters);
    });
  }

  /** A few rows are written, whatever the namespace holds. */
  clear(name: string): void {
    const { ledger } = this.#parts;
    ledger.change((counters) => ledger.clearNamespace(toWellFormed(name), counters));
  }

  /** Lends keys out that nobody has, and that have not changed since they were read. */
  lend(name: string, requests: readonly LeaseRequest[], now: number): LeaseAnswer[] {
    const { ledger, leases, cleaner } = this.#parts;
    return ledger.change((counters) => {
      const namespace = ledger.ensureNamespace(toWellFormed(name), counters);
      const answers = requests.map((request): LeaseAnswer => {
        const key = toWellFormed(request.key);
        const read = { version: Number(request.version), tags: NO_TAGS, counters };
        if (!this.#isUnchanged(namespace, key, read)) return { token: undefined, leasedFor: 0 };
        const leasedFor = leases.leasedFor(namespace.id, key, now);
        if (leasedFor > 0) return { token: undefined, leasedFor };
        const seq = ++counters.seq;
        leases.give(namespace.id, key, { seq, now, ttl: request.ttl });
        return { token: String(seq), version: String(seq) };
      });
      cleaner.makeRoom(counters);
      return answers;
    });
  }

  /** @returns for each whether it was still held */
  extend(name: string, held: readonly HeldLease[], terms: { readonly now: number; readonly ttl: number }): boolean[] {
    const namespace = this.#parts.ledger.namespace(toWellFormed(name));
    return held.map(({ key, token }) => {
      if (namespace === undefined) return false;
      return this.#parts.leases.extend(namespace.id, { key: toWellFormed(key), token }, terms);
    });
  }

  release(name: string, held: readonly HeldLease[]): void {
    const namespace = this.#parts.ledger.namespace(toWellFormed(name));
    if (namespace === undefined) return;
    for (const { key, token } of held) this.#parts.leases.release(namespace.id, { key: toWellFormed(key), token });
  }

  /** What is there and neither expired, nor ended by a tag, nor damaged. */
  #find(
    namespace: number,
    key: string,
    now: number,
  ): { readonly bytes: Uint8Array; readonly ttl: number; readonly tags: readonly string[] } | undefined {
    const row = this.#sql.row.get(namespace, key) as Row | undefined;
    if (row === undefined || row.live === 0) return undefined;
    const ttl = row.expires === null ? Infinity : row.expires - now;
    if (!(ttl > 0)) return undefined;
    const bytes = row.bytes ?? NO_BYTES;
    const tags = row.tags === null ? NO_TAGS : parseTags(row.tags);
    if (tags === undefined || row.sum !== checksumOf({ ...row, namespace, key }, bytes)) {
      this.#damaged++;
      return undefined;
    }
    if (tags !== NO_TAGS && this.#parts.tags.lastEnd(namespace, tags) > row.seq) return undefined;
    return { bytes, ttl, tags };
  }

  #isUnchanged(namespace: Namespace, key: string, { version, tags, counters }: Read & { counters: Counters }): boolean {
    if (!(version >= namespace.cleared)) return false;
    const row = this.#sql.head.get(namespace.id, key) as Pick<Row, 'seq' | 'tags'> | undefined;
    if (!(version >= (row?.seq ?? counters.forgotten))) return false;
    if (tags.length > 0 && this.#parts.tags.lastPossibleEnd(namespace.id, tags, counters) > version) return false;
    if (row === undefined || row.tags === null) return true;
    // To have been ended by a tag is a change of the key, whatever tags the next entry has.
    const before = parseTags(row.tags);
    return before !== undefined && this.#parts.tags.lastEnd(namespace.id, before) <= version;
  }

  #put(namespace: Namespace, write: StoreWrite, { counters, now }: { counters: Counters; now: number }): void {
    const { key, bytes, ttl, tags = NO_TAGS } = write;
    const ends = Math.floor(now + ttl);
    const expires = Number.isSafeInteger(ends) ? ends : null;
    const head = {
      seq: ++counters.seq,
      namespace: namespace.id,
      key,
      expires,
      tags: tags.length === 0 ? null : JSON.stringify(tags),
    };
    // A row is kept a while after its value has ended: it tells that there was a change.
    const keepUntil = expires === null ? null : Math.max(expires, now + this.#options.fenceFor);
    const sum = checksumOf(head, bytes);
    this.#sql.insert.run(head.seq, namespace.id, key, 1, expires, keepUntil, head.tags, sum, bytes);
    if (counters.leased !== 0) this.#parts.leases.end(namespace.id, key);
  }

  /** Leaves the mark of a deletion. */
  #mark({ id }: Namespace, key: string, { counters, now }: { counters: Counters; now: number }): void {
    this.#sql.insert.run(++counters.seq, id, key, 0, null, now + this.#options.fenceFor, null, 0, null);
    if (counters.leased !== 0) this.#parts.leases.end(id, key);
  }
}

function statements(file: SqliteFile) {
  return {
    row: file.prepare('SELECT seq, live, expires, tags, sum, bytes FROM entries WHERE namespace = ? AND key = ?'),
    head: file.prepare('SELECT seq, tags FROM entries WHERE namespace = ? AND key = ?'),
    insert: file.prepare(
      'INSERT OR REPLACE INTO entries (seq, namespace, key, live, expires, keep_until, tags, sum, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
  };
}
