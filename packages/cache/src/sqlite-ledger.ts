import type { StatementSync } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';

/** What the file knows of all changes. */
export interface Counters {
  /** The number of the last change anywhere. */
  seq: number;
  /** Of keys without a row, nothing is known up to this change. */
  forgotten: number;
  /** Of tags without a row, nothing is known up to this change. */
  tagsForgotten: number;
  /** How far the search for entries that were ended by a tag has come, by their numbers. */
  scanAt: number;
  /** The last invalidation it is about, 0 while there is no search. */
  scanUntil: number;
  /** When it began, by the wall clock. */
  scanned: number;
  /** Whether there are leases, of whatever key. */
  readonly leased: number;
}

/** Keys and tags of a name between two clears. */
export interface Namespace {
  readonly id: number;
  /** The change that made it empty. */
  readonly cleared: number;
}

/** Numbers the changes of a file, and knows its namespaces. Everything here is to run inside of a transaction. */
export class SqliteLedger {
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;

  constructor(file: SqliteFile) {
    this.#sql = statements(file);
  }

  counters(): Counters {
    return { ...(this.#sql.counters.get() as unknown as Counters) };
  }

  /** Runs `work`, which may count on, and keeps the counts. */
  change<T>(work: (counters: Counters) => T): T {
    const counters = this.counters();
    const before = { ...counters };
    const result = work(counters);
    const { seq, forgotten, tagsForgotten, scanAt, scanUntil, scanned } = counters;
    if (
      seq !== before.seq ||
      forgotten !== before.forgotten ||
      tagsForgotten !== before.tagsForgotten ||
      scanAt !== before.scanAt ||
      scanUntil !== before.scanUntil
    ) {
      this.#sql.setCounters.run(seq, forgotten, tagsForgotten, scanAt, scanUntil, scanned);
    }
    return result;
  }

  namespace(name: string): Namespace | undefined {
    return this.#sql.namespace.get(name) as Namespace | undefined;
  }

  /** The namespace, made if it is not there. */
  ensureNamespace(name: string, counters: Counters): Namespace {
    const found = this.namespace(name);
    if (found !== undefined) return found;
    const id = ++counters.seq;
    this.#sql.setNamespace.run(name, id, 0);
    return { id, cleared: 0 };
  }

  /** Rows of the id it had are seen by nobody from now on. */
  clearNamespace(name: string, counters: Counters): void {
    const seq = ++counters.seq;
    const namespace = this.namespace(name);
    if (namespace !== undefined) this.#sql.bury.run(namespace.id);
    this.#sql.setNamespace.run(name, seq, seq);
  }

  /** A namespace as it was before a clear, whose rows are to be removed. */
  grave(): number | undefined {
    return (this.#sql.grave.get() as { readonly id: number } | undefined)?.id;
  }

  closeGrave(id: number): void {
    this.#sql.closeGrave.run(id);
  }
}

function statements(file: SqliteFile) {
  return {
    counters: file.prepare(
      `SELECT seq, forgotten, tags_forgotten AS tagsForgotten, scan_at AS scanAt, scan_until AS scanUntil, scanned, EXISTS (SELECT 1 FROM leases) AS leased
       FROM counters WHERE id = 1`,
    ),
    setCounters: file.prepare(
      'UPDATE counters SET seq = ?, forgotten = ?, tags_forgotten = ?, scan_at = ?, scan_until = ?, scanned = ? WHERE id = 1',
    ),
    namespace: file.prepare('SELECT id, cleared FROM namespaces WHERE name = ?'),
    setNamespace: file.prepare('INSERT OR REPLACE INTO namespaces (name, id, cleared) VALUES (?, ?, ?)'),
    bury: file.prepare('INSERT OR IGNORE INTO graves (id) VALUES (?)'),
    grave: file.prepare('SELECT id FROM graves LIMIT 1'),
    closeGrave: file.prepare('DELETE FROM graves WHERE id = ?'),
  };
}
