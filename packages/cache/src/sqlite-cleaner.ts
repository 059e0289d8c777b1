import type { StatementSync } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';
import type { Counters, SqliteLedger } from './sqlite-ledger.ts';
import type { SqliteLeases } from './sqlite-leases.ts';
import { parseTags } from './sqlite-row.ts';
import type { SqliteTags } from './sqlite-tags.ts';

export interface SqliteCleanerOptions {
  readonly maxBytes: number;
  readonly fenceFor: number;
}

/** What a slice of cleaning may take: rows, and milliseconds. */
export interface SliceLimit {
  readonly rows: number;
  readonly time: number;
}

/** What a row that goes has to leave behind. */
interface GoneRow {
  readonly seq: number;
  readonly namespace: number;
  readonly tags: string | null;
}

type Kind = 'entry' | 'tag' | 'lease';

/** Rows that one write may push out; a file that is far too large is cut back in slices. */
const PUSHED_OUT_AT_ONCE = 1_000;
/** Rows that one statement reads or removes: few, for a row may be large. */
const STEP = 16;
/** Milliseconds between two searches for entries that were ended by a tag, each of which looks at all that have tags. */
const SCAN_EVERY = 5 * 60_000;

/** Removes rows that are of no more use, and the oldest of all when the file is too large. Everything here is to run inside of a transaction. */
export class SqliteCleaner {
  readonly #options: SqliteCleanerOptions;
  readonly #parts: { readonly ledger: SqliteLedger; readonly tags: SqliteTags; readonly leases: SqliteLeases };
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;
  readonly #pageSize: number;
  #evicted = 0;
  #swept = 0;

  constructor(
    file: SqliteFile,
    parts: { readonly ledger: SqliteLedger; readonly tags: SqliteTags; readonly leases: SqliteLeases },
    options: SqliteCleanerOptions,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#sql = statements(file);
    this.#pageSize = numberOf(file.prepare('PRAGMA page_size'));
  }

  /** Entries pushed out by others. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Entries removed because they had ended. */
  get swept(): number {
    return this.#swept;
  }

  /** Of the file, without pages that are free to be used again. */
  get bytes(): number {
    return (numberOf(this.#sql.pages) - numberOf(this.#sql.freePages)) * this.#pageSize;
  }

  /** Removes what was written longest ago until the file is small enough. */
  makeRoom(counters: Counters): void {
    this.#evict(counters, { rows: PUSHED_OUT_AT_ONCE, time: Infinity });
  }

  /** @returns whether there may be more to do at once */
  clean(now: number, limit: SliceLimit): boolean {
    const { ledger, leases } = this.#parts;
    return ledger.change((counters) => {
      const until = performance.now() + limit.time;
      let left = limit.rows;
      const repeat = (step: () => number): void => {
        for (let done = 1; done > 0 && left > 0 && performance.now() < until;) {
          done = step();
          left -= done;
        }
      };
      repeat(() => this.#exhume());
      repeat(() => this.#sweep(this.#sql.deleteEnded.all(now), counters));
      repeat(() => leases.sweep(now - this.#options.fenceFor));
      repeat(() => this.#scan(counters, now));
      const evicted = this.#evict(counters, { rows: left, time: Math.max(0, until - performance.now()) });
      return evicted >= left || performance.now() >= until;
    });
  }

  /** Removes some rows of a namespace as it was before it was cleared. @returns how much work that was, 0 when there is none */
  #exhume(): number {
    const grave = this.#parts.ledger.grave();
    if (grave === undefined) return 0;
    // They have nothing to leave behind: the clear is a change of every key.
    const removed = this.#sql.deleteBuried.all(grave).length;
    this.#swept += removed;
    if (removed > 0) return removed;
    this.#parts.ledger.closeGrave(grave);
    return 1;
  }

  /** Looks through some entries with tags, and removes those that a tag has ended. After the last one, invalidations up to the one before which it began are of no more use. */
  #scan(counters: Counters, now: number): number {
    const { tags } = this.#parts;
    if (counters.scanUntil === 0) {
      const last = tags.lastUntil(now - this.#options.fenceFor);
      const isTooSoon = now >= counters.scanned && now < counters.scanned + SCAN_EVERY;
      if (last === undefined || isTooSoon) return 0;
      Object.assign(counters, { scanAt: 0, scanUntil: last, scanned: now });
    }
    const rows = this.#sql.tagged.all(counters.scanAt, counters.scanUntil) as unknown as GoneRow[];
    const ended = rows.filter((row) => this.#endOf(row, counters) > row.seq);
    for (const { seq } of ended) this.#sql.delete.run(seq);
    this.#sweep(ended, counters);
    counters.scanAt = rows.at(-1)?.seq ?? counters.scanUntil;
    if (rows.length > 0) return rows.length;
    const forgotten = tags.forgetUntil(counters.scanUntil, counters);
    if (forgotten === 0) counters.scanUntil = 0;
    return forgotten;
  }

  #sweep(rows: readonly object[], counters: Counters): number {
    this.#swept += rows.length;
    return this.#forget(rows, counters);
  }

  /** In the order of their last changes, entries, tags and leases alike: a tag goes when all that it may have ended is gone. */
  #evict(counters: Counters, { rows, time }: SliceLimit): number {
    if (this.#options.maxBytes === Infinity) return 0;
    const until = performance.now() + time;
    let removed = 0;
    while (removed < rows && this.bytes > this.#options.maxBytes && performance.now() < until) {
      if (!this.#evictOldest(counters)) break;
      removed++;
    }
    return removed;
  }

  #evictOldest(counters: Counters): boolean {
    const oldest = this.#sql.oldest.get() as { readonly kind: Kind; readonly seq: number } | undefined;
    switch (oldest?.kind) {
      case undefined:
        return false;
      case 'entry':
        this.#evicted += this.#forget(this.#sql.delete.all(oldest?.seq ?? 0), counters);
        return true;
      case 'tag':
        this.#parts.tags.forget(oldest?.seq ?? 0, counters);
        return true;
      case 'lease':
        this.#parts.leases.forget(oldest?.seq ?? 0);
        return true;
    }
  }

  /** Of keys without a row it has to be known up to when they may have changed. */
  #forget(rows: readonly object[], counters: Counters): number {
    for (const row of rows as readonly GoneRow[])
      counters.forgotten = Math.max(counters.forgotten, row.seq, this.#endOf(row, counters));
    return rows.length;
  }

  /** The change that ended the entry, if a tag did. */
  #endOf({ namespace, tags }: GoneRow, { seq }: Counters): number {
    if (tags === null) return 0;
    const list = parseTags(tags);
    return list === undefined ? seq : this.#parts.tags.lastEnd(namespace, list);
  }
}

function statements(file: SqliteFile) {
  return {
    deleteEnded: file.prepare(
      `DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE keep_until <= ? ORDER BY keep_until LIMIT ${STEP}) RETURNING seq, namespace, tags`,
    ),
    deleteBuried: file.prepare(
      `DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE namespace = ? LIMIT ${STEP}) RETURNING seq`,
    ),
    tagged: file.prepare(
      `SELECT seq, namespace, tags FROM entries WHERE tags IS NOT NULL AND seq > ? AND seq < ? ORDER BY seq LIMIT ${STEP}`,
    ),
    delete: file.prepare('DELETE FROM entries WHERE seq = ? RETURNING seq, namespace, tags'),
    oldest: file.prepare(
      `SELECT 'entry' AS kind, seq FROM (SELECT min(seq) AS seq FROM entries) WHERE seq IS NOT NULL
       UNION ALL SELECT 'tag', seq FROM (SELECT min(seq) AS seq FROM tags) WHERE seq IS NOT NULL
       UNION ALL SELECT 'lease', seq FROM (SELECT min(seq) AS seq FROM leases) WHERE seq IS NOT NULL
       ORDER BY seq LIMIT 1`,
    ),
    pages: file.prepare('PRAGMA page_count'),
    freePages: file.prepare('PRAGMA freelist_count'),
  };
}

function numberOf(statement: StatementSync): number {
  return Number(Object.values(statement.get() ?? {})[0]);
}
