import { checkDuration, checkOptions, checkSignal } from '@perf/core';
import type { LoadContext, LoadRequest } from './load-group.ts';

/** Options of a call that only waits. */
export interface WaitOptions {
  /** Ends the wait at once, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `TieredCache.set` and of the loading calls. */
export interface EntryOptions extends WaitOptions {
  /** Milliseconds the value is fresh, instead of the cache's `ttl`. */
  readonly ttl?: number;
}

/** What a call without options has: not checked, for it is known to be right. */
export const NO_OPTIONS: EntryOptions = {};

/** @throws TypeError naming the option, `signal.reason` */
export function checkWaitOptions(options: WaitOptions, known: readonly string[] = ['signal']): void {
  if (options === NO_OPTIONS) return;
  checkOptions('a call of TieredCache', options, known);
  if (options.signal !== undefined) checkSignal('signal', options.signal).throwIfAborted();
}

/** @throws RangeError, TypeError naming the option, `signal.reason` */
export function checkEntryOptions(options: EntryOptions): void {
  checkWaitOptions(options, ['signal', 'ttl']);
  if (options.ttl !== undefined) checkDuration('ttl', options.ttl);
}

/** Loads one value. */
export type Loader<K, V> = (context: {
  readonly key: K;
  /** Aborts when nobody waits for the value any more, and when `loadTimeout` runs out. */
  readonly signal: AbortSignal;
  /** The stale value that is to be replaced, if there is one. */
  readonly previous: V | undefined;
}) => V | Promise<V>;

/** Loads many values; keys it has no value for are left out of the map. */
export type ManyLoader<K, V> = (
  missing: readonly K[],
  context: LoadContext<K, V>,
) => ReadonlyMap<K, V> | Promise<ReadonlyMap<K, V>>;

/** A loader of one value, in the place of one of many. */
export function loadAlone<K, V>(loader: Loader<K, V>): LoadRequest<K, V>['load'] {
  return async (keys, { signal, previous }) => {
    const key = keys[0] as K;
    return new Map([[key, await loader({ key, signal, previous: previous.get(key) })]]);
  };
}
