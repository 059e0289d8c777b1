import { PerfError } from '@perf/core';

/**
 * What is wrong with the file, or with Node.js:
 * `'unsupported'`: this Node.js has no `node:sqlite` ·
 * `'open'`: the file cannot be opened or made ·
 * `'foreign'`: it is no database, or not one of this store ·
 * `'corrupt'`: its content is damaged ·
 * `'read-only'`: it cannot be written ·
 * `'full'`: the disk, or a quota, is ·
 * `'busy'`: another process was writing for longer than `busyTimeout` ·
 * `'failed'`: anything else, as an I/O error; see `cause`.
 */
export type SqliteFailure = 'unsupported' | 'open' | 'foreign' | 'corrupt' | 'read-only' | 'full' | 'busy' | 'failed';

/** The SQLite store could not be opened, or could not do what it was asked to; its code is `PERF_CACHE_SQLITE_` and the reason, as in `PERF_CACHE_SQLITE_READ_ONLY`. */
export class SqliteStoreError extends PerfError {
  readonly reason: SqliteFailure;
  /** The file. */
  readonly path: string | undefined;

  constructor(reason: SqliteFailure, message: string, facts: ErrorOptions & { readonly path?: string } = {}) {
    super(`PERF_CACHE_SQLITE_${reason.toUpperCase().replace('-', '_')}`, message, facts);
    this.reason = reason;
    this.path = facts.path;
  }

  override get name(): string {
    return 'SqliteStoreError';
  }
}

const BUSY = 5;
/** By SQLite's primary result code. https://sqlite.org/rescode.html */
const REASONS: Readonly<Record<number, SqliteFailure>> = {
  [BUSY]: 'busy',
  6: 'busy', // locked
  8: 'read-only',
  11: 'corrupt',
  13: 'full',
  14: 'open',
  26: 'foreign', // not a database
};

/** Whether another connection is in the way, for now. */
export function isBusy(error: unknown): boolean {
  return reasonOf(error) === 'busy';
}

/** The typed error for what `node:sqlite` threw. */
export function toSqliteError(error: unknown, path: string): SqliteStoreError {
  if (error instanceof SqliteStoreError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new SqliteStoreError(reasonOf(error), `the SQLite store at ${JSON.stringify(path)} failed: ${detail}`, {
    path,
    cause: error,
  });
}

function reasonOf(error: unknown): SqliteFailure {
  const errcode = typeof error === 'object' && error !== null && 'errcode' in error ? error.errcode : undefined;
  // The low byte is the primary code, the rest refines it.
  return (typeof errcode === 'number' && REASONS[errcode & 0xff]) || 'failed';
}
