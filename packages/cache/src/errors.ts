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
 * Some keys of a `getOrLoadMany` could not be loaded, others were: nothing is lost.
 */
export class LoadManyError<K, V> extends PerfError {
  /** What was there or has been loaded, and is kept. */
  readonly values: ReadonlyMap<K, V>;
  /** Why each of the other keys failed. */
  readonly errors: ReadonlyMap<K, unknown>;

  constructor(values: ReadonlyMap<K, V>, errors: ReadonlyMap<K, unknown>) {
    super('PERF_CACHE_LOAD_MANY', `${errors.size} of ${errors.size + values.size} keys could not be loaded`, {
      cause: errors.values().next().value,
    });
    this.values = values;
    this.errors = errors;
  }

  override get name(): string {
    return 'LoadManyError';
  }
}

/** The store was not asked, because it has failed several times in a row; it is asked again after `breakFor`. */
export class StoreUnavailableError extends PerfError {
  constructor() {
    super('PERF_CACHE_STORE_UNAVAILABLE', 'the store failed several times in a row and is left alone for a while');
  }

  override get name(): string {
    return 'StoreUnavailableError';
  }
}

/**
 * The store failed to take a change; `cause` says why. This process behaves as if it had: it does not read what was changed from the store until a repetition got
 * through, which is attempted in the background. Until then other processes may still read what the store has.
 */
export class StoreError extends PerfError {
  readonly operation: 'set' | 'delete' | 'invalidateTags' | 'clear';

  constructor(operation: StoreError['operation'], options: ErrorOptions) {
    super('PERF_CACHE_STORE', `the store failed to ${operation}`, options);
    this.operation = operation;
  }

  override get name(): string {
    return 'StoreError';
  }
}

/** The bus failed to tell other processes of a change; `cause` says why. It is told again in the background; until then they may serve what they hold in memory. */
export class BusError extends PerfError {
  constructor(options: ErrorOptions) {
    super('PERF_CACHE_BUS', 'the bus failed to publish an invalidation', options);
  }

  override get name(): string {
    return 'BusError';
  }
}
