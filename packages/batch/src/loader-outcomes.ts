import { isError } from './is-error.ts';
import type { AbortableLoad } from './loader-abortable-load.ts';
import type { LoaderAborts } from './loader-aborts.ts';
import { valuesOf } from './loader-answer.ts';
import type { LoaderBatch } from './loader-batch.ts';
import type { LoaderCache } from './loader-cache.ts';
import { LoaderCall } from './loader-call.ts';
import type { LoaderCounts } from './loader-counts.ts';

/** Hands out what comes of a batch: to the callers, the cache and the counts. Each batch comes here once. */
export class LoaderOutcomes<K, V, C> {
  /** Set once a load has been made that can be aborted. */
  aborts: LoaderAborts<K, V, C> | undefined = undefined;
  readonly #cache: LoaderCache<V, C> | undefined;
  readonly #counts: LoaderCounts;

  constructor(cache: LoaderCache<V, C> | undefined, counts: LoaderCounts) {
    this.#cache = cache;
    this.#counts = counts;
  }

  /** The batch function has answered, with whatever. */
  deliver(batch: LoaderBatch<K, V, C>, answer: unknown): void {
    let values: (V | Error)[];
    let errors: boolean[] | undefined;
    try {
      values = copyOf(valuesOf<V>(answer, batch.keys), batch.keys.length);
      if (hasErrors(values)) errors = values.map(isError);
    } catch (error) {
      this.fail(batch, error);
      return;
    }
    const outcomes = this.aborts === undefined ? values : this.#settleAbortable(batch, values);
    if (errors !== undefined) this.#forgetErrors(batch, errors);
    else this.#counts.loaded += values.length;
    batch.succeed(outcomes, errors !== undefined);
  }

  /** Settles the loads of the batch that do so by themselves. Returns the outcomes of the others. */
  #settleAbortable(batch: LoaderBatch<K, V, C>, values: readonly (V | Error)[]): readonly (V | Error)[] {
    return values.filter((value, index) => {
      const load = this.aborts?.find(batch.promises[index]);
      if (load === undefined) return true;
      this.aborts?.delete(load);
      if (isError(value)) load.reject(value);
      else load.resolve(value);
      return false;
    });
  }

  #forgetErrors(batch: LoaderBatch<K, V, C>, errors: readonly boolean[]): void {
    let failed = 0;
    for (const [index, promise] of batch.promises.entries()) {
      if (errors[index] !== true) continue;
      failed++;
      this.#cache?.failed(batch.cacheKeyAt(index), promise);
    }
    this.#counts.loaded += errors.length - failed;
    this.#counts.errors += failed;
  }

  /** Every load of the batch rejects and is forgotten. */
  fail(batch: LoaderBatch<K, V, C>, error: unknown): void {
    batch.closeGaps();
    this.#counts.errors += batch.keys.length;
    this.#forget(batch, error);
    batch.fail(error);
  }

  /** Nobody waits for any of its keys any more. It keeps its slot until the batch function is done. */
  abandon(batch: LoaderBatch<K, V, C>, reason: unknown): void {
    this.#counts.withdrawn += batch.keys.length;
    this.#forget(batch, reason);
    // None of its loads waits at the gate, but hits may.
    batch.succeed([], false);
    if (batch.call !== undefined) LoaderCall.abort(batch.call, reason);
  }

  /** Takes its promises out of the cache, and rejects those that do not wait at the gate. */
  #forget(batch: LoaderBatch<K, V, C>, reason: unknown): void {
    for (const [index, promise] of batch.promises.entries()) {
      this.#cache?.evict(batch.cacheKeyAt(index), promise);
      const load = this.aborts?.find(promise);
      if (load !== undefined) this.reject(load, reason);
    }
  }

  /** Nobody waits for it, unless a program took it from its own `cacheMap`. */
  reject(load: AbortableLoad<K, V, C>, reason: unknown): void {
    this.aborts?.delete(load);
    load.promise.catch(() => {});
    load.reject(reason);
  }
}

/**
 * The batch function may go on using its array. Reading it may throw: before anybody has got a value. By index and not by iterator, nor by its length
 * once more: those may say something else.
 */
function copyOf<V>(values: ArrayLike<V>, length: number): V[] {
  const copy: V[] = [];
  for (let index = 0; index < length; index++) copy.push(values[index] as V);
  return copy;
}

/** A loop of its own: most batches have no error, and thousands of values. */
function hasErrors(values: readonly unknown[]): boolean {
  for (let index = 0; index < values.length; index++) {
    if (isError(values[index])) return true;
  }
  return false;
}
