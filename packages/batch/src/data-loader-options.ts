import { checkBoolean, checkDuration, checkLimit } from '@perf/core';
import { atTickEnd } from './tick-end.ts';

/** Loads the values of several keys at once: one value, or one `Error`, per key, in the order of the keys. The array of keys is frozen. */
export type BatchLoadFn<K, V> = (keys: readonly K[]) => PromiseLike<ArrayLike<V | Error>>;

/** Where a {@link DataLoader} keeps its promises: a `Map`, or anything with these methods. */
export interface CacheMap<K, V> {
  get(key: K): V | undefined | void;
  set(key: K, value: V): unknown;
  delete(key: K): unknown;
  clear(): unknown;
}

/** Options of a {@link DataLoader}: those of the `dataloader` package, `maxConcurrency`, `timeout` and `cacheErrors`. */
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
  /** For tools that watch loaders. @default null */
  readonly name?: string | null | undefined;
  /** How many batches are loaded at once; while all are busy, the open batch grows. @default Infinity */
  readonly maxConcurrency?: number | undefined;
  /** How long a batch may take, in milliseconds; then its loads reject with a `BatchTimeoutError`, uncached. @default Infinity */
  readonly timeout?: number | undefined;
  /** Whether an `Error` given for a key stays cached, as it does in the `dataloader` package. @default true */
  readonly cacheErrors?: boolean | undefined;
}

/** {@link DataLoaderOptions}, checked, with their defaults. */
export interface DataLoaderSettings<K, V, C> {
  readonly maxBatchSize: number;
  readonly batchScheduleFn: (callback: () => void) => void;
  readonly cacheKeyFn: (key: K) => C;
  readonly cacheMap: CacheMap<C, Promise<V>> | null;
  readonly maxConcurrency: number;
  readonly timeout: number;
  readonly cacheErrors: boolean;
}

/** The messages for options of the `dataloader` package are its own: programs match on them. Unknown options pass, as they do there. */
export function dataLoaderSettings<K, V, C>(options: DataLoaderOptions<K, V, C>): DataLoaderSettings<K, V, C> {
  const { batchScheduleFn = atTickEnd, cacheKeyFn = (key: K) => key as unknown as C } = options;
  const { maxConcurrency = Infinity, timeout = Infinity, cacheErrors = true } = options;
  return {
    maxBatchSize: options.batch === false ? 1 : checkMaxBatchSize(options.maxBatchSize),
    batchScheduleFn: checkIsFunction('batchScheduleFn', batchScheduleFn),
    cacheKeyFn: checkIsFunction('cacheKeyFn', cacheKeyFn),
    cacheMap: options.cache === false ? null : checkCacheMap(options.cacheMap),
    maxConcurrency: checkLimit('maxConcurrency', maxConcurrency),
    timeout: checkDuration('timeout', timeout),
    cacheErrors: checkBoolean('cacheErrors', cacheErrors),
  };
}

function checkMaxBatchSize(size: number | undefined): number {
  if (size === undefined) return Infinity;
  // The negated comparison keeps NaN out, with which no batch would ever take a key.
  if (typeof size !== 'number' || !(size >= 1)) {
    throw new TypeError(`maxBatchSize must be a positive number: ${String(size)}`);
  }
  return size;
}

function checkIsFunction<F>(name: string, value: F): F {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function: ${String(value)}`);
  return value;
}

function checkCacheMap<C, P>(cacheMap: CacheMap<C, P> | null | undefined): CacheMap<C, P> | null {
  if (cacheMap === undefined) return new Map<C, P>();
  if (cacheMap === null) return null;
  const missing = (['get', 'set', 'delete', 'clear'] as const).filter((name) => typeof cacheMap[name] !== 'function');
  if (missing.length > 0) throw new TypeError(`Custom cacheMap missing methods: ${missing.join(', ')}`);
  return cacheMap;
}
