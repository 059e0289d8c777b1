import { checkDuration, checkFunction, checkOptions } from '@perf/core';
import { type CacheKey, toStoreKey } from './cache-key.ts';
import { type LoadOptions, NO_OPTIONS, checkTags } from './loader.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Something that is given, or found out from a result and the arguments of its call. */
export type OfResult<Args extends unknown[], R, T> = T | ((result: R, ...args: Args) => T);

/** How the results of a function are kept, whatever it is. */
export interface ResultOptions<Args extends unknown[], R> {
  /** Milliseconds a result is fresh, or a function that says so; what it throws fails the call. @default the cache's `ttl` */
  readonly ttl?: OfResult<Args, R, number> | undefined;
  /** What `TieredCache.invalidateTags` finds results by, or a function that says so; what it throws fails the call. */
  readonly tags?: OfResult<Args, R, readonly string[]> | undefined;
}

/** Calls of one function through a cache. */
export interface Calls<Args extends unknown[], R> {
  /** The key in the cache of a call with these arguments. @throws TypeError when no key can be made of them */
  readonly keyOf: (...args: Args) => string;
  /** Forgets the result of a call with these arguments, here and elsewhere; see `TieredCache.delete`. */
  readonly invalidate: (...args: Args) => Promise<void>;
  /** Calls the function whatever there is, and keeps the result; see `TieredCache.refresh`. */
  readonly refresh: (...args: Args) => Promise<R>;
}

/** What {@link callThrough} needs to know. */
export interface CallsOptions<Args extends unknown[], R> extends ResultOptions<Args, R> {
  readonly call: (...args: Args) => R | Promise<R>;
  readonly keyOf: (args: Args) => string;
}

/** What {@link callThrough} makes of a function. */
export interface CallsThrough<Args extends unknown[], R> {
  readonly call: (...args: Args) => Promise<R>;
  readonly calls: Calls<Args, R>;
}

/** Calls of `call` through the cache, and what else can be done about them. */
export function callThrough<V, Args extends unknown[], R extends V>(
  cache: TieredCache<string, V>,
  { call, keyOf, ttl, tags }: CallsOptions<Args, R>,
): CallsThrough<Args, R> {
  const optionsOf = entryOptions<V, Args, R>({ ttl, tags });
  return {
    // No async function: a hit is but one promise.
    call: (...args) => {
      try {
        return cache.getOrLoad(keyOf(args), () => call(...args), optionsOf(args)) as Promise<R>;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    calls: {
      keyOf: (...args) => keyOf(args),
      invalidate: async (...args) => cache.delete(keyOf(args)),
      refresh: async (...args) => cache.refresh(keyOf(args), () => call(...args), optionsOf(args)) as Promise<R>,
    },
  };
}

/** Options that are the same for all calls are made and checked once. */
function entryOptions<V, Args extends unknown[], R extends V>({
  ttl,
  tags,
}: {
  readonly ttl: OfResult<Args, R, number> | undefined;
  readonly tags: OfResult<Args, R, readonly string[]> | undefined;
}): (args: Args) => LoadOptions<string, V> {
  if (ttl === undefined && tags === undefined) return () => NO_OPTIONS;
  return (args) => ({
    ...(ttl !== undefined && { ttl: typeof ttl === 'function' ? (value: V) => ttl(value as R, ...args) : ttl }),
    ...(tags !== undefined && { tags: typeof tags === 'function' ? (value: V) => tags(value as R, ...args) : tags }),
  });
}

/** @throws TypeError, RangeError naming the option */
export function checkResultOptions<Args extends unknown[], R>(
  component: string,
  options: ResultOptions<Args, R> & { readonly key?: unknown },
): void {
  checkOptions(component, options, ['key', 'ttl', 'tags', 'name']);
  const { key, ttl, tags } = options;
  if (key !== undefined) checkFunction('key', key);
  if (ttl !== undefined && typeof ttl !== 'function') checkDuration('ttl', ttl);
  if (tags !== undefined && typeof tags !== 'function') checkTags(tags);
}

/** The part of a key that a `key` function chose. */
export function chosenKey(key: CacheKey): string {
  return `=${toStoreKey(key)}`;
}
