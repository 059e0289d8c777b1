import { checkBoolean, checkFunction, checkOptions, checkPositiveInteger, checkSignal } from '@perf/core';
import { MapSource } from './map-source.ts';
import { type ItemContext, MapWindow } from './map-window.ts';

/** Options of {@link mapConcurrent}. */
export interface MapConcurrentOptions {
  /** How many calls of the function may be under way at once; also how many results may wait to be taken, together with them. */
  readonly concurrency: number;
  /** Ends the iteration at once, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Whether results come in the order of the items, or as soon as they are ready. @default true */
  readonly ordered?: boolean;
}

const OPTIONS = ['concurrency', 'signal', 'ordered'];

/**
 * Calls `fn` for each item, `concurrency` at once, and yields what it answers.
 *
 * Lazy: an item is pulled when a call can start for it, and the first one when the iteration starts; unfinished calls and results that were
 * not taken yet are never more than `concurrency`, however long the input.
 *
 * The first error ends the iteration (in order: after the results before it). Then, and when the consumer stops early, nothing is pulled any more,
 * `context.signal` aborts, the calls under way are waited for and the source is closed. Only an abort of `signal` does not wait for them.
 *
 * @throws RangeError, TypeError for a bad option
 */
export function mapConcurrent<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T, context: ItemContext) => R | PromiseLike<R>,
  options: MapConcurrentOptions,
): AsyncIterableIterator<Awaited<R>, undefined> & AsyncDisposable {
  checkIterable(items);
  checkFunction('fn', fn);
  checkOptions('mapConcurrent', options, OPTIONS);
  const { concurrency, signal, ordered = true } = options;
  checkPositiveInteger('concurrency', concurrency);
  checkBoolean('ordered', ordered);
  if (signal !== undefined) checkSignal('signal', signal);
  return new MapWindow<T, Awaited<R>>(new MapSource(items), {
    fn: fn as (item: T, context: ItemContext) => Awaited<R>,
    concurrency,
    ordered,
    signal,
  });
}

/** Throws a `TypeError` unless `value` can be iterated. */
export function checkIterable(value: unknown): void {
  if (value !== null && value !== undefined) {
    const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(value) as Partial<
      Iterable<unknown> & AsyncIterable<unknown>
    >;
    if (typeof sync === 'function' || typeof async === 'function') return;
  }
  throw new TypeError(
    `\`items\` must be an iterable or an async iterable, got ${value === null ? 'null' : typeof value}`,
  );
}
