import { AsyncLocalStorage } from 'node:async_hooks';
import { type Timer, startTimer } from '@perf/core';
import {
  type BatchLoadFn,
  type DataLoaderOptions,
  type DataLoaderSettings,
  dataLoaderSettings,
} from './data-loader-options.ts';
import { BatchTimeoutError } from './errors.ts';
import { isError } from './is-error.ts';
import { LinkedQueue } from './linked-queue.ts';
import { isArrayLike, isPromiseLike, noPromise, textOf, threwSynchronously, valuesOf } from './loader-answer.ts';
import { LoaderBatch } from './loader-batch.ts';
import { atTickEnd } from './tick-end.ts';

/**
 * Loads single keys in batches and caches the promises: the class of the `dataloader` package, with the same interface, semantics and
 * messages, and
 * - a bound on concurrent batches (`maxConcurrency`) and on their time (`timeout`);
 * - a failed batch takes only its own promises out of the cache, never a newer one of the same key;
 * - the keys are frozen: a batch function that sorts them in place fails instead of mixing up the callers' values;
 * - an `Error` of another realm is an error;
 * - equal loads of one batch share one promise;
 * - `cacheKeyFn` or `cacheMap` throwing rejects that load only;
 * - the batch function runs in the async context the loader was made in, not in that of whoever loaded first.
 */
export class DataLoader<K, V, C = K> {
  /** The `name` option; `null` when there was none. */
  name: string | null;
  readonly #batchLoadFn: BatchLoadFn<K, V>;
  readonly #settings: DataLoaderSettings<K, V, C>;
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  #open: LoaderBatch<K, V, C> | undefined = undefined;
  /** Batches that are due and wait for a slot. */
  readonly #due: LinkedQueue<LoaderBatch<K, V, C>> = new LinkedQueue();
  #running = 0;

  /** Throws a `TypeError`, or a `RangeError` for a number, when an argument is wrong. */
  constructor(batchLoadFn: BatchLoadFn<K, V>, options?: DataLoaderOptions<K, V, C>) {
    if (typeof batchLoadFn !== 'function') {
      throw new TypeError(
        'DataLoader must be constructed with a function which accepts Array<key> and returns Promise<Array<value>>, ' +
          `but got: ${textOf(batchLoadFn)}.`,
      );
    }
    this.#batchLoadFn = batchLoadFn;
    this.#settings = dataLoaderSettings(options ?? {});
    // An empty name is none, as in the `dataloader` package.
    this.name = options?.name || null;
  }

  /** The value of `key`, loaded with the open batch or cached. Throws a `TypeError` for `null` and `undefined`. */
  load(key: K): Promise<V> {
    if (key === null || key === undefined) {
      throw new TypeError(`The loader.load() function must be called with a value, but got: ${String(key)}.`);
    }
    const { cacheMap } = this.#settings;
    if (cacheMap === null) return this.#enqueue(key, undefined as C);
    try {
      const cacheKey = this.#cacheKeyOf(key);
      const cached = cacheMap.get(cacheKey);
      return cached ? this.#hit(cached) : this.#enqueue(key, cacheKey);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The values of `keys`; an `Error` in the place of each key that could not be loaded. */
  loadMany(keys: ArrayLike<K>): Promise<(V | Error)[]> {
    if (!isArrayLike(keys)) {
      throw new TypeError(`The loader.loadMany() function must be called with Array<key> but got: ${textOf(keys)}.`);
    }
    const loads: Promise<V | Error>[] = [];
    for (let index = 0; index < keys.length; index++) {
      loads.push(this.load(keys[index] as K).catch((error: unknown) => error as Error));
    }
    return Promise.all(loads);
  }

  /** Forgets the value of `key`. */
  clear(key: K): this {
    this.#settings.cacheMap?.delete(this.#cacheKeyOf(key));
    return this;
  }

  /** Forgets all values. */
  clearAll(): this {
    this.#settings.cacheMap?.clear();
    return this;
  }

  /** Caches `value` for `key`, unless something is cached already; an `Error` makes loads of it reject. */
  prime(key: K, value: V | PromiseLike<V> | Error): this {
    const { cacheMap } = this.#settings;
    if (cacheMap === null) return this;
    const cacheKey = this.#cacheKeyOf(key);
    if (cacheMap.get(cacheKey) !== undefined) return this;
    if (isError(value)) {
      const failed = Promise.reject<V>(value);
      // Nobody has asked for it yet.
      failed.catch(() => {});
      cacheMap.set(cacheKey, failed);
    } else {
      cacheMap.set(cacheKey, Promise.resolve(value));
    }
    return this;
  }

  /** Callbacks see the loader as `this`, as they do in the `dataloader` package. */
  #cacheKeyOf(key: K): C {
    return this.#settings.cacheKeyFn.call(this, key);
  }

  #hit(cached: Promise<V>): Promise<V> {
    if (this.#open?.closed === false && this.#open.owns(cached)) return cached;
    return this.#intoBatch((batch) => batch.addHit(cached));
  }

  #enqueue(key: K, cacheKey: C): Promise<V> {
    return this.#intoBatch((batch) => {
      const promise = batch.add(key, cacheKey);
      try {
        this.#settings.cacheMap?.set(cacheKey, promise);
      } catch (error) {
        // The caller gets this error; what becomes of the load is nobody's.
        promise.catch(() => {});
        throw error;
      }
      return promise;
    });
  }

  #intoBatch<T>(add: (batch: LoaderBatch<K, V, C>) => T): T {
    const open = this.#open;
    if (open?.closed === false && open.keys.length < this.#settings.maxBatchSize) return add(open);
    const batch = (this.#open = new LoaderBatch<K, V, C>());
    try {
      return add(batch);
    } finally {
      // After the key is in it: a scheduler may call back at once.
      this.#schedule(batch);
    }
  }

  #schedule(batch: LoaderBatch<K, V, C>): void {
    let called = false;
    try {
      this.#settings.batchScheduleFn.call(this, () => {
        if (called) return;
        called = true;
        if (batch.keys.length > 0) {
          this.#due.push(batch);
          this.#startDue();
        } else {
          batch.closed = true;
          batch.resolveHits();
        }
      });
    } catch (error) {
      if (called) return;
      // Nothing would load it any more.
      called = true;
      this.#fail(batch, error);
    }
  }

  #startDue(): void {
    while (this.#running < this.#settings.maxConcurrency) {
      const batch = this.#due.shift();
      if (batch === undefined) return;
      batch.closed = true;
      this.#start(batch);
    }
  }

  #start(batch: LoaderBatch<K, V, C>): void {
    this.#running++;
    let timer: Timer | undefined;
    const end = (settle: () => void): void => {
      if (batch.settled) return;
      timer?.cancel();
      this.#running--;
      settle();
      if (this.#due.size > 0) atTickEnd(() => this.#startDue());
    };
    let answer: unknown;
    try {
      const keys = Object.freeze(batch.keys);
      answer = this.#inOwnContext(() => this.#batchLoadFn.call(this, keys));
    } catch (error) {
      end(() => this.#fail(batch, threwSynchronously(error)));
      return;
    }
    if (!isPromiseLike(answer)) {
      end(() => this.#fail(batch, noPromise(answer)));
      return;
    }
    const { timeout } = this.#settings;
    timer = startTimer(() => {
      const facts = { group: this.name ?? 'loader', size: batch.keys.length, attempt: 1 };
      end(() => this.#fail(batch, new BatchTimeoutError(facts, timeout)));
    }, timeout);
    Promise.resolve(answer).then(
      (values) => end(() => this.#deliver(batch, values)),
      (error: unknown) => end(() => this.#fail(batch, error)),
    );
  }

  #deliver(batch: LoaderBatch<K, V, C>, answer: unknown): void {
    let values: (V | Error)[];
    try {
      values = valuesOf<V>(answer, batch.keys);
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    batch.settled = true;
    batch.resolveHits();
    for (const [index, value] of values.entries()) {
      if (!isError(value)) {
        batch.resolve(index, value);
        continue;
      }
      if (!this.#settings.cacheErrors) this.#evict(batch, index);
      batch.reject(index, value);
    }
  }

  /** Every load of the batch rejects and is forgotten; hits resolve, as they do not depend on it. */
  #fail(batch: LoaderBatch<K, V, C>, error: unknown): void {
    batch.closed = batch.settled = true;
    batch.resolveHits();
    for (const index of batch.keys.keys()) {
      this.#evict(batch, index);
      batch.reject(index, error);
    }
  }

  #evict(batch: LoaderBatch<K, V, C>, index: number): void {
    const { cacheMap } = this.#settings;
    const cacheKey = batch.cacheKeys[index] as C;
    try {
      // Only its own: the key may have been cleared and loaded anew meanwhile.
      if (cacheMap?.get(cacheKey) === batch.promises[index]) cacheMap?.delete(cacheKey);
    } catch {
      // A cache that fails to forget must not keep the callers waiting.
    }
  }
}
