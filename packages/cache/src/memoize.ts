import { checkDuration, checkFunction, checkOptions } from '@perf/core';
import { argumentKey } from './argument-key.ts';
import { checkCache, functionId, lookLike } from './function-id.ts';
import { type CacheKey, toStoreKey } from './cache-key.ts';
import { NO_OPTIONS } from './loader.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Options of {@link memoize}. */
export interface MemoizeOptions<Args extends unknown[]> {
  /** What tells calls apart. @default all of the arguments, compared in depth; arguments that no key can be made of are a TypeError */
  readonly key?: (...args: Args) => CacheKey;
  /** Milliseconds a result is fresh. @default the cache's `ttl` */
  readonly ttl?: number;
  /**
   * What the results are filed under in the cache, unique there. Give one to share results with other processes or with a later run; without it they are this function's and this
   * process's alone.
   */
  readonly name?: string;
}

/** A function whose results are cached. */
export interface Memoized<Args extends unknown[], R> {
  (...args: Args): Promise<R>;
  /** The key in the cache of a call with these arguments. @throws TypeError when no key can be made of them */
  keyOf(...args: Args): string;
  /** Forgets the result of a call with these arguments, here and elsewhere; see `TieredCache.delete`. */
  delete(...args: Args): Promise<void>;
}

/**
 * Gives `fn` the memory of a cache: calls with equal arguments share one result, and one call while it is under way. A rejection is not kept (but see the cache's `negativeTtl`).
 *
 * @throws TypeError when the name is taken in this cache
 */
export function memoize<V, R extends V, Args extends unknown[]>(
  cache: TieredCache<string, V>,
  fn: (this: void, ...args: Args) => R | Promise<R>,
  options: MemoizeOptions<Args> = {},
): Memoized<Args, R> {
  checkCache(cache);
  checkFunction('fn', fn);
  checkOptions('memoize', options, ['key', 'ttl', 'name']);
  const { key, ttl, name } = options;
  if (key !== undefined) checkFunction('key', key);
  if (ttl !== undefined) checkDuration('ttl', ttl);
  const id = functionId(cache, name);
  const keyOf = (...args: Args): string =>
    `${id}${key === undefined ? argumentKey(args) : `=${toStoreKey(key(...args))}`}`;
  const entry = ttl === undefined ? NO_OPTIONS : { ttl };
  const memoized = async (...args: Args): Promise<R> =>
    (await cache.getOrLoad(keyOf(...args), () => fn(...args), entry)) as R;
  return Object.assign(lookLike(memoized, fn), {
    keyOf,
    delete: async (...args: Args): Promise<void> => cache.delete(keyOf(...args)),
  });
}
