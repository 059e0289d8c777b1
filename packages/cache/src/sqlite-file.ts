import type * as Sqlite from 'node:sqlite';
import { SqliteStoreError, isBusy, toSqliteError } from './sqlite-error.ts';

/** Not imported: on a Node.js without it, an import would fail with an error that says nothing of what to do. */
const sqlite: typeof Sqlite | undefined = process.getBuiltinModule?.('node:sqlite');
if (sqlite === undefined) {
  throw new SqliteStoreError(
    'unsupported',
    `@perf/cache/sqlite needs node:sqlite: Node.js 22.13 or later, this is ${process.version}`,
  );
}
const { DatabaseSync: Database } = sqlite;

/** "prfc", so that a file of another application is told from one of ours. */
const APPLICATION_ID = 0x70726663;
const FORMAT = 2;

/**
 * `seq` counts the changes of the whole file. An entry, a tag and a lease have the number of their last change as row id: new rows go to the end of their table, the ones
 * written longest ago are at its start. Tombstones are rows that are not live. In `tags` is the last invalidation of each.
 *
 * A namespace gets another id when it is cleared; `cleared` is the change that did it. Rows of earlier ids, listed in `graves`, are seen by nobody.
 * `forgotten` is the last change of any row that is gone: of a key without a row, nothing is known up to it. `tags_forgotten` is the same for tags.
 */
const SCHEMA = `
CREATE TABLE counters (
  id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, forgotten INTEGER NOT NULL, tags_forgotten INTEGER NOT NULL,
  scan_at INTEGER NOT NULL, scan_until INTEGER NOT NULL, scanned INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0, 0);
CREATE TABLE namespaces (name TEXT PRIMARY KEY, id INTEGER NOT NULL, cleared INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE graves (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key TEXT NOT NULL, live INTEGER NOT NULL, expires INTEGER, keep_until INTEGER,
  tags TEXT, sum INTEGER NOT NULL, bytes BLOB
) STRICT;
CREATE UNIQUE INDEX entry_keys ON entries (namespace, key);
CREATE INDEX entry_ends ON entries (keep_until) WHERE keep_until IS NOT NULL;
CREATE INDEX entry_tagged ON entries (seq) WHERE tags IS NOT NULL;
CREATE TABLE tags (seq INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, tag TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX tag_names ON tags (namespace, tag);
CREATE INDEX tag_ages ON tags (at);
CREATE TABLE leases (
  seq INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, key TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX lease_keys ON leases (namespace, key);
CREATE INDEX lease_ends ON leases (until);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${FORMAT};`;

/** Opening may wait for others who open or write. Later calls wait without blocking the event loop. */
const OPEN_PATIENCE = 5_000;
const CALL_PATIENCE = 2;
/** What the write-ahead log is cut back to once it has been carried over. */
const LOG_LIMIT = 16 * 1024 * 1024;

export interface SqliteFileOptions {
  readonly path: string;
  readonly synchronous: 'normal' | 'full';
}

/** One connection to a file of the store's format, made if it is not there yet. */
export class SqliteFile {
  readonly #db: Sqlite.DatabaseSync;

  /** @throws SqliteStoreError */
  constructor({ path, synchronous }: SqliteFileOptions) {
    let db: Sqlite.DatabaseSync | undefined;
    try {
      const opened = new Database(path);
      db = opened;
      patiently(() => setUp(opened, path, synchronous));
    } catch (error) {
      db?.close();
      throw toSqliteError(error, path);
    }
    this.#db = db;
  }

  prepare(sql: string): Sqlite.StatementSync {
    return this.#db.prepare(sql);
  }

  /** Runs `work` on one state of the file. */
  read<T>(work: () => T): T {
    return transaction(this.#db, 'BEGIN', work);
  }

  /** Runs `work` as the only writer; nothing of it has happened when it throws. */
  write<T>(work: () => T): T {
    return transaction(this.#db, 'BEGIN IMMEDIATE', work);
  }

  /** The last connection to close carries the log over into the file. */
  close(): void {
    this.#db.close();
  }
}

function transaction<T>(db: Sqlite.DatabaseSync, begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
  db.exec(begin);
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
    throw error;
  }
}

function setUp(db: Sqlite.DatabaseSync, path: string, synchronous: 'normal' | 'full'): void {
  db.exec(`PRAGMA busy_timeout = ${OPEN_PATIENCE}`);
  // Looked at before anything is written: a file that is not ours stays as it is. In one transaction, for another process may be setting it up.
  const isNew = transaction(db, 'BEGIN', () => isEmpty(db, path));
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(`PRAGMA synchronous = ${synchronous}; PRAGMA journal_size_limit = ${LOG_LIMIT}`);
  if (isNew) {
    transaction(db, 'BEGIN IMMEDIATE', () => {
      if (isEmpty(db, path)) db.exec(SCHEMA);
    });
  }
  db.exec(`PRAGMA busy_timeout = ${CALL_PATIENCE}`);
}

/** @returns whether there is nothing yet @throws SqliteStoreError for a file that is not ours */
function isEmpty(db: Sqlite.DatabaseSync, path: string): boolean {
  const ask = (sql: string): unknown => Object.values(db.prepare(sql).get() ?? {})[0];
  const application = ask('PRAGMA application_id');
  const format = ask('PRAGMA user_version');
  if (application === APPLICATION_ID && format === FORMAT) return false;
  if (application === 0 && format === 0 && ask('SELECT count(*) FROM sqlite_schema') === 0) return true;
  const what = application === APPLICATION_ID ? `of format ${String(format)}, not ${FORMAT}` : 'of another application';
  throw new SqliteStoreError('foreign', `the database at ${JSON.stringify(path)} is ${what}`, { path });
}

/** Not everywhere does SQLite wait by itself: of several processes that turn a new file to WAL at once, some are told that it is locked. */
function patiently(work: () => void): void {
  const giveUpAt = performance.now() + OPEN_PATIENCE;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
