import { fileURLToPath } from 'node:url';
import {
  ClosedError,
  type Closeable,
  type StatsSource,
  type Timer,
  checkDuration,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  delay,
  startTimer,
} from '@perf/core';
import { checkFenceFor } from './check-store-options.ts';
import { SqliteCleaner, type SliceLimit } from './sqlite-cleaner.ts';
import { SqliteEntries } from './sqlite-entries.ts';
import { isBusy, toSqliteError } from './sqlite-error.ts';
import { SqliteFile } from './sqlite-file.ts';
import { SqliteLedger } from './sqlite-ledger.ts';
import { SqliteLeases } from './sqlite-leases.ts';
import { SqliteTags } from './sqlite-tags.ts';
import type { Store, StoreEntry, StoreLeases, StoreWrite } from './store.ts';

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** The database file, a path or a `file:` URL; made when it is not there, in a folder that is. `':memory:'` for none. */
  readonly path: string | URL;
  /**
   * Bytes the file may take, at least 1 MiB, `Infinity` for no limit. The entries written longest ago go first. An entry of more than half of it is not kept.
   * @default 256 MiB
   */
  readonly maxBytes?: number;
  /** Milliseconds between two looks for entries to remove, expired or cleared; `Infinity` for none. @default 30_000 */
  readonly sweepInterval?: number;
  /** Milliseconds for which changes of a key are remembered at least. A value whose load took longer may be not kept. @default 60_000 */
  readonly fenceFor?: number;
  /** Milliseconds a call waits, without blocking, for other processes that are writing. @default 1_000 */
  readonly busyTimeout?: number;
  /**
   * What is still there after the machine, not just the process, has failed: with `'normal'` the last changes may be undone, deletions among them; with
   * `'full'` every change waits for the disk.
   * @default 'normal'
   */
  readonly synchronous?: 'normal' | 'full';
}

/** What a {@link SqliteStore} reports. */
export interface SqliteStoreStats {
  /** Of the file that are in use. */
  readonly bytes: number;
  /** Entries this object has removed because the file was too large. */
  readonly evicted: number;
  /** Expired, deleted and cleared entries this object has removed from the file. */
  readonly swept: number;
  /** Looks for entries to remove that failed; they are repeated. */
  readonly sweepFailures: number;
  /** Entries this object has read and found altered since they were written. They count as none. */
  readonly damaged: number;
}

/** A {@link Store} in a file. */
export interface SqliteStore extends Store, Closeable, StatsSource<SqliteStoreStats> {
  readonly leases: StoreLeases;
}

const SMALLEST = 1024 * 1024;
const DEFAULTS = {
  maxBytes: 256 * 1024 * 1024,
  sweepInterval: 30_000,
  fenceFor: 60_000,
  busyTimeout: 1_000,
  synchronous: 'normal',
} as const;
const SLICE: SliceLimit = { rows: 256, time: 5 };
/** Milliseconds between two slices, and between two attempts to write while another process does. */
const PAUSE = 10;

/**
 * Keeps values in an SQLite file, for this process, its next run, and other processes on the machine. Needs Node.js 22.13 or later.
 *
 * `node:sqlite` works synchronously: each call is one short transaction in memory the operating system caches, on the event loop.
 *
 * @throws SqliteStoreError when the file cannot be opened, or is not one of this store; RangeError or TypeError naming the option that is wrong
 */
export function sqliteStore(options: SqliteStoreOptions): SqliteStore {
  checkOptions('sqliteStore', options, ['path', ...Object.keys(DEFAULTS)]);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { path, ...rest } = { ...DEFAULTS, ...given } as Required<SqliteStoreOptions>;
  const all = { ...rest, path: path instanceof URL ? fileURLToPath(path) : checkName('path', path) };
  if (checkLimit('maxBytes', all.maxBytes) < SMALLEST) {
    throw new RangeError(`\`maxBytes\` must be at least ${SMALLEST}, got ${all.maxBytes}`);
  }
  checkDuration('sweepInterval', all.sweepInterval);
  checkDuration('busyTimeout', all.busyTimeout);
  checkFenceFor(all.fenceFor);
  checkOneOf('synchronous', all.synchronous, ['normal', 'full']);
  return new FileStore(all);
}

class FileStore implements SqliteStore {
  readonly leases: StoreLeases;
  readonly #options: Required<SqliteStoreOptions> & { readonly path: string };
  readonly #file: SqliteFile;
  readonly #cleaner: SqliteCleaner;
  readonly #entries: SqliteEntries;
  #timer: Timer;
  #bytes = 0;
  #sweepFailures = 0;
  #isClosed = false;

  constructor(options: Required<SqliteStoreOptions> & { readonly path: string }) {
    this.#options = options;
    this.#file = new SqliteFile(options);
    try {
      const parts = {
        ledger: new SqliteLedger(this.#file),
        tags: new SqliteTags(this.#file),
        leases: new SqliteLeases(this.#file),
      };
      this.#cleaner = new SqliteCleaner(this.#file, parts, options);
      this.#entries = new SqliteEntries(this.#file, { ...parts, cleaner: this.#cleaner }, options);
    } catch (error) {
      this.#file.close();
      throw toSqliteError(error, options.path);
    }
    this.leases = this.#lending();
    this.#timer = this.#sweepIn(options.sweepInterval);
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  async getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]> {
    if (keys.length === 0) return [];
    return this.#patiently(() => this.#file.read(() => this.#entries.read(namespace, keys, Date.now())));
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    if (writes.length === 0) return [];
    return this.#change((now) => this.#entries.write(namespace, writes, now));
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#change((now) => this.#entries.delete(namespace, keys, now));
  }

  async invalidateTags(namespace: string, tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    await this.#change((now) => this.#entries.invalidateTags(namespace, tags, now));
  }

  async clear(namespace: string): Promise<void> {
    await this.#change(() => this.#entries.clear(namespace));
  }

  stats(): SqliteStoreStats {
    const { evicted, swept } = this.#cleaner;
    const { damaged } = this.#entries;
    return { bytes: this.#size(), evicted, swept, sweepFailures: this.#sweepFailures, damaged };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#bytes = this.#size();
    this.#isClosed = true;
    this.#timer.cancel();
    this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #lending(): StoreLeases {
    return {
      acquire: async (namespace, requests) =>
        requests.length === 0 ? [] : this.#change((now) => this.#entries.lend(namespace, requests, now)),
      extend: async (namespace, leases, ttl) =>
        leases.length === 0 ? [] : this.#change((now) => this.#entries.extend(namespace, leases, { now, ttl })),
      release: async (namespace, leases) => {
        if (leases.length > 0) await this.#change(() => this.#entries.release(namespace, leases));
      },
    };
  }

  /** @param work gets the time by the wall clock, at which it is carried out */
  #change<T>(work: (now: number) => T): Promise<T> {
    return this.#patiently(() => this.#file.write(() => work(Date.now())));
  }

  /** Other processes write too. They take turns of well under a millisecond, so that waiting is asking again. */
  async #patiently<T>(work: () => T): Promise<T> {
    const giveUpAt = performance.now() + this.#options.busyTimeout;
    for (;;) {
      if (this.#isClosed) throw new ClosedError('the SQLite store', 'PERF_CACHE_CLOSED');
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() >= giveUpAt) throw toSqliteError(error, this.#options.path);
      }
      await delay(Math.random() * PAUSE);
    }
  }

  #sweepIn(ms: number): Timer {
    return startTimer(() => this.#sweep(), ms, { unref: true });
  }

  #sweep(): void {
    let isMore = false;
    try {
      isMore = this.#file.write(() => this.#cleaner.clean(Date.now(), SLICE));
    } catch {
      this.#sweepFailures++;
    }
    this.#timer = this.#sweepIn(isMore ? PAUSE : this.#options.sweepInterval);
  }

  #size(): number {
    if (this.#isClosed) return this.#bytes;
    try {
      return this.#cleaner.bytes;
    } catch {
      return this.#bytes;
    }
  }
}
