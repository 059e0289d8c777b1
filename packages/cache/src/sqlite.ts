export { type SqliteFailure, SqliteStoreError } from './sqlite-error.ts';
export { type SqliteStore, type SqliteStoreOptions, type SqliteStoreStats, sqliteStore } from './sqlite-store.ts';
