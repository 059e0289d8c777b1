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

/** What a function gives, sooner or later. */
type ResultOf<F extends (...args: never[]) => unknown> = Awaited<ReturnType<F>>;

/**
 * A function with the memory of a cache: calls with equal arguments share one result, and one call while it is under way. A rejection is not kept (but see the cache's `negativeTtl`).
 *
 * @throws TypeError when the name is taken in this cache
 */
// `fn` as a whole is inferred, not its arguments: a `key` that names an optional one would make it a required one.
export function memoize<V, F extends (this: void, ...args: never[]) => V | Promise<V>>(
  cache: TieredCache<string, V>,
  fn: F,
  options: MemoizeOptions<Parameters<F>, ResultOf<F>> = {},
): Memoized<Parameters<F>, ResultOf<F>> {
  checkCache(cache);
  checkFunction('fn', fn);
  checkResultOptions('memoize', options);
  const { key, name, ...kept } = options;
  const id = functionId(cache, name);
  const keyOf = (args: Parameters<F>): string => id + (key === undefined ? argumentKey(args) : chosenKey(key(...args)));
  const typed = fn as (...args: Parameters<F>) => ResultOf<F> | Promise<ResultOf<F>>;
  const { call, calls } = callThrough<V, Parameters<F>, ResultOf<F>>(cache, { ...kept, call: typed, keyOf });
  return Object.assign(lookLike(call, fn), calls);
}
