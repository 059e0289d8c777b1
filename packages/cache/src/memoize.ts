import { checkFunction } from '@perf/core';
import { argumentKey } from './argument-key.ts';
import type { CacheKey } from './cache-key.ts';
import { type Calls, type ResultOptions, callThrough, checkResultOptions, chosenKey } from './calls.ts';
import { checkCache, functionId, lookLike } from './function-id.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Options of {@link memoize}. */
export interface MemoizeOptions<Args extends unknown[], R = unknown> extends ResultOptions<Args, R> {
  /** What tells calls apart. @default all of the arguments, compared in depth; arguments that no key can be made of are a TypeError */
  readonly key?: (...args: Args) => CacheKey;
  /**
   * What the results are filed under in the cache, unique there. Give one to share results with other processes or with a later run; without it they are this function's and this
   * process's alone.
   */
  readonly name?: string;
}

/** A function whose results are cached. */
export interface Memoized<Args extends unknown[], R> extends Calls<Args, R> {
  (...args: Args): Promise<R>;
}

/**
 * A function with the memory of a cache: calls with equal arguments share one result, and one call while it is under way. A rejection is not kept (but see the cache's `negativeTtl`).
 *
 * @throws TypeError when the name is taken in this cache
 */
export function memoize<V, R extends V, Args extends unknown[]>(
  cache: TieredCache<string, V>,
  fn: (this: void, ...args: Args) => R | Promise<R>,
  options: MemoizeOptions<Args, R> = {},
): Memoized<Args, R> {
  checkCache(cache);
  checkFunction('fn', fn);
  checkResultOptions('memoize', options);
  const { key, name, ...kept } = options;
  const id = functionId(cache, name);
  const keyOf = (args: Args): string => id + (key === undefined ? argumentKey(args) : chosenKey(key(...args)));
  const { call, calls } = callThrough<V, Args, R>(cache, { ...kept, call: fn, keyOf });
  return Object.assign(lookLike(call, fn), calls);
}
