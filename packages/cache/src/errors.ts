import { PerfError, TimeoutError } from '@perf/core';
import type { CacheKey } from './cache-key.ts';

/** A loader did not answer within `loadTimeout`. Its signal has been aborted. */
export class LoadTimeoutError extends TimeoutError {
  /** What was being loaded. */
  readonly keys: readonly CacheKey[];

  constructor(timeout: number, keys: readonly CacheKey[]) {
    super(`the loader did not answer within ${timeout} ms`, { timeout, code: 'PERF_CACHE_LOAD_TIMEOUT' });
    this.keys = keys;
  }

  override get name(): string {
    return 'LoadTimeoutError';
  }
}

/**
 * The store failed to take a `set`, `delete` or `clear`; `cause` says why. This process behaves as if it had: it does not read the keys from the store until a deletion got
 * through. Other processes may still read what the store has.
 */
export class StoreError extends PerfError {
  readonly operation: 'set' | 'delete' | 'clear';

  constructor(operation: 'set' | 'delete' | 'clear', options: ErrorOptions) {
    super('PERF_CACHE_STORE', `the store failed to ${operation}`, options);
    this.operation = operation;
  }

  override get name(): string {
    return 'StoreError';
  }
}

/** The bus failed to tell other processes of a change; `cause` says why. What they hold in memory stays until it expires. */
export class BusError extends PerfError {
  constructor(options: ErrorOptions) {
    super('PERF_CACHE_BUS', 'the bus failed to publish an invalidation', options);
  }

  override get name(): string {
    return 'BusError';
  }
}
