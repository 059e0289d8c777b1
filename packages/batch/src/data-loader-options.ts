import { type Clock, checkClock, checkDuration, checkLimit, checkOneOf, systemClock } from '@perf/core';
import { textOf } from './loader-answer.ts';
import { atTickEnd } from './tick-end.ts';

/** What a {@link BatchLoadFn} is told besides the keys. */
export interface BatchLoadContext {
  /** Aborts when nobody waits for any key of the batch any more, with the reason of the last one that left; or when `timeout` is up. */
  readonly signal: AbortSignal;
}

/** Loads the values of several keys at once: one value, or one `Error`, per key, in the order of the keys. The array of keys is frozen. */
export type BatchLoadFn<K, V> = (keys: readonly K[], context: BatchLoadContext) => PromiseLike<ArrayLike<V | Error>>;

/** Where a {@link DataLoader} keeps its promises: a `Map`, a cache with a time to live or a bound, or anything with these methods. */
export interface CacheMap<K, V> {
  get(key: K): V | undefined | void;
  set(key: K, value: V): unknown;
  delete(key: K): unknown;
  clear(): unknown;
}

/** Options of one `load()` or `loadMany()`. */
export interface LoadOptions {
  /** Ends the wait with `signal.reason`. A key that nobody waits for any more leaves its batch, unless that is being loaded. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of a {@link DataLoader}: those of the `dataloader` package, and from `maxConcurrency` on more. */
export interface DataLoaderOptions<K, V, C = K> {
  /** `false` loads each key by itself, like `maxBatchSize: 1`. @default true */
  readonly batch?: boolean | undefined;
  /** The most keys in a batch. @default Infinity */
  readonly maxBatchSize?: number | undefined;
  /** Calls back when the open batch is to be loaded. @default at the end of the tick, after all promise jobs */
  readonly batchScheduleFn?: ((callback: () => void) => void) | undefined;
  /** `false` loads every key of every call. @default true */
  readonly cache?: boolean | undefined;
  /** What a key is cached under. @default the key itself */
  readonly cacheKeyFn?: ((key: K) => C) | undefined;
  /** Where promises are cached; `null` like `cache: false`. @default a new `Map` */
  readonly cacheMap?: CacheMap<C, Promise<V>> | null | undefined;
  /** Names the loader in errors, metrics and spans. @default null */
  readonly name?: string | null | undefined;
  /** How many batches are loaded at once; while all are busy, the open batch grows. @default Infinity */
  readonly maxConcurrency?: number | undefined;
  /** How long a batch may take, in milliseconds; then its loads reject with a `BatchTimeoutError`, uncached. @default Infinity */
  readonly timeout?: number | undefined;
  /** How long an `Error` for a key, loaded or primed, stays cached, in milliseconds; 0 caches none. @default Infinity, as in the `dataloader` package */
  readonly errorTtl?: number | undefined;
  /**
   * When a load of a cached key gets its promise: `'batch'` with the open batch, so that loads which follow on hits and on misses go in one
   * batch again; `'immediate'` at once, at a fifth of the cost and without calling `batchScheduleFn`. @default 'batch', as in the `dataloader` package
   */
  readonly cacheHits?: 'batch' | 'immediate' | undefined;
  /** Tells the time for `errorTtl`. @default the process's monotonic clock */
  readonly clock?: Clock | undefined;
}

/** {@link DataLoaderOptions}, checked, with their defaults. */
export interface DataLoaderSettings<K, V, C> {
  readonly maxBatchSize: number;
  readonly batchScheduleFn: (callback: () => void) => void;
  /** `undefined` when keys are cached under themselves. */
  readonly cacheKeyFn: ((key: K) => C) | undefined;
  /** `undefined` for a `Map` of the loader's own, `null` for none. */
  readonly cacheMap: CacheMap<C, Promise<V>> | null | undefined;
  readonly maxConcurrency: number;
  readonly timeout: number;
  readonly errorTtl: number;
  readonly cacheHits: 'batch' | 'immediate';
  readonly clock: Clock;
}

/** Of loaders made without options, as most are. */
const DEFAULTS: DataLoaderSettings<never, never, never> = /* @__PURE__ */ checked({});

export function dataLoaderSettings<K, V, C>(
  options: DataLoaderOptions<K, V, C> | null | undefined,
): DataLoaderSettings<K, V, C> {
  return options === undefined || options === null
    ? (DEFAULTS as unknown as DataLoaderSettings<K, V, C>)
    : checked(options);
}

/** The messages for options of the `dataloader` package are its own: programs match on them. Unknown options pass, as they do there. */
function checked<K, V, C>(options: DataLoaderOptions<K, V, C>): DataLoaderSettings<K, V, C> {
  const { batchScheduleFn = atTickEnd, cacheKeyFn } = options;
  const { maxConcurrency = Infinity, timeout = Infinity, errorTtl = Infinity } = options;
  const { cacheHits = 'batch', clock = systemClock } = options;
  return {
    maxBatchSize: options.batch === false ? 1 : checkMaxBatchSize(options.maxBatchSize),
    batchScheduleFn: checkIsFunction('batchScheduleFn', batchScheduleFn),
    cacheKeyFn: cacheKeyFn === undefined ? undefined : checkIsFunction('cacheKeyFn', cacheKeyFn),
    cacheMap: options.cache === false ? null : checkCacheMap(options.cacheMap),
    maxConcurrency: checkLimit('maxConcurrency', maxConcurrency),
    timeout: checkDuration('timeout', timeout),
    errorTtl: errorTtl === 0 ? 0 : checkDuration('errorTtl', errorTtl),
    cacheHits: checkOneOf('cacheHits', cacheHits, ['batch', 'immediate']),
    clock: checkClock('clock', clock),
  };
}

function checkMaxBatchSize(size: number | undefined): number {
  if (size === undefined) return Infinity;
  // The negated comparison keeps NaN out, with which no batch would ever take a key.
  if (typeof size !== 'number' || !(size >= 1)) {
    throw new TypeError(`maxBatchSize must be a positive number: ${textOf(size)}`);
  }
  return size;
}

function checkIsFunction<F>(name: string, value: F): F {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function: ${textOf(value)}`);
  return value;
}

function checkCacheMap<C, P>(cacheMap: CacheMap<C, P> | null | undefined): typeof cacheMap {
  if (cacheMap === undefined || cacheMap === null) return cacheMap;
  const missing = (['get', 'set', 'delete', 'clear'] as const).filter((name) => typeof cacheMap[name] !== 'function');
  if (missing.length > 0) throw new TypeError(`Custom cacheMap missing methods: ${missing.join(', ')}`);
  return cacheMap;
}
