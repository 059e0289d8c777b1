import { checkDuration, checkOptions, checkSignal } from '@perf/core';
import type { LoadContext, LoadRequest, OfValue } from './load-group.ts';
import { NO_TAGS } from './no-tags.ts';

/** Options of a call that only waits. */
export interface WaitOptions {
  /** Ends the wait at once, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `TieredCache.set`. */
export interface EntryOptions extends WaitOptions {
  /** Milliseconds the value is fresh, instead of the cache's `ttl`. */
  readonly ttl?: number | undefined;
  /** What {@link TieredCache.invalidateTags} finds the value by, any strings. */
  readonly tags?: readonly string[] | undefined;
}

/** Options of the loading calls. */
export interface LoadOptions<K, V> extends WaitOptions {
  /** Milliseconds the value is fresh, or a function that says so of the loaded value; what it throws fails the load. @default the cache's `ttl` */
  readonly ttl?: OfValue<K, V, number> | undefined;
  /** What `invalidateTags` finds the value by, or a function that says so of the loaded value; what it throws fails the load. */
  readonly tags?: OfValue<K, V, readonly string[]> | undefined;
}

/** What a call without options has: not checked, for it is known to be right. */
export const NO_OPTIONS: WaitOptions = {};

/** @throws TypeError naming the option, `signal.reason` */
export function checkWaitOptions(options: WaitOptions, known: readonly string[] = ['signal']): void {
  if (options === NO_OPTIONS) return;
  checkOptions('a call of TieredCache', options, known);
  if (options.signal !== undefined) checkSignal('signal', options.signal).throwIfAborted();
}

/** @throws RangeError, TypeError naming the option, `signal.reason` */
export function checkEntryOptions(options: EntryOptions): void {
  if (options === NO_OPTIONS) return;
  checkWaitOptions(options, ['signal', 'ttl', 'tags']);
  if (options.ttl !== undefined) checkDuration('ttl', options.ttl);
  if (options.tags !== undefined) checkTags(options.tags);
}

/** Like {@link checkEntryOptions}; what functions return is checked when they do. */
export function checkLoadOptions<K, V>(options: LoadOptions<K, V>): void {
  if (options === NO_OPTIONS) return;
  checkWaitOptions(options, ['signal', 'ttl', 'tags']);
  if (options.ttl !== undefined && typeof options.ttl !== 'function') checkDuration('ttl', options.ttl);
  if (options.tags !== undefined && typeof options.tags !== 'function') checkTags(options.tags);
}

/** Whether options are right, and without a signal, at a glance: what a hit can afford. Others are to be checked. */
export function areEvident<K, V>(options: LoadOptions<K, V>): boolean {
  if (options === NO_OPTIONS) return true;
  if (typeof options !== 'object' || options === null) return false;
  for (const name in options) if (name !== 'ttl' && name !== 'tags') return false;
  const { ttl, tags } = options;
  return (
    (ttl === undefined || typeof ttl === 'function' || (typeof ttl === 'number' && ttl > 0)) &&
    (tags === undefined || areTags(tags))
  );
}

function areTags(tags: unknown): boolean {
  return typeof tags === 'function' || (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'));
}

/** A copy without repetitions, safe from later changes; {@link NO_TAGS} when there are none. @throws TypeError */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) throw new TypeError(`\`tags\` must be an array of strings, got ${typeof tags}`);
  if (tags.length === 0) return NO_TAGS;
  for (const tag of tags as readonly unknown[]) {
    if (typeof tag !== 'string') throw new TypeError(`\`tags\` must be an array of strings, got a ${typeof tag} in it`);
  }
  // As the store and the bus will know it: UTF-8 has no lone surrogates.
  return [...new Set(tags.map((tag) => tag.toWellFormed()))];
}

/** Loads one value. */
export type Loader<K, V> = (context: {
  readonly key: K;
  /** Aborts when nobody waits for the value any more, and when `loadTimeout` runs out. */
  readonly signal: AbortSignal;
  /** The value that is to be replaced, if there is one: stale, or about to be. */
  readonly previous: V | undefined;
}) => V | Promise<V>;

/** Loads many values. Keys it has no value for are left out of the map; a promise in it that rejects fails its key alone. */
export type ManyLoader<K, V> = (
  missing: readonly K[],
  context: LoadContext<K, V>,
) => ReadonlyMap<K, V | Promise<V>> | Promise<ReadonlyMap<K, V | Promise<V>>>;

/** A loader of one value, in the place of one of many. */
export function loadAlone<K, V>(loader: Loader<K, V>): LoadRequest<K, V>['load'] {
  return async (keys, { signal, previous }) => {
    const key = keys[0] as K;
    return new Map([[key, await loader({ key, signal, previous: previous.get(key) })]]);
  };
}
