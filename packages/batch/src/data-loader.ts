import { checkSignal } from '@perf/core';
import {
  type BatchLoadFn,
  type DataLoaderOptions,
  type LoadOptions,
  dataLoaderSettings,
} from './data-loader-options.ts';
import { isError } from './is-error.ts';
import { AbortableLoad } from './loader-abortable-load.ts';
import { isArrayLike, textOf } from './loader-answer.ts';
import { LoaderCache } from './loader-cache.ts';
import type { DataLoaderStats } from './loader-counts.ts';
import { keepMade } from './keep.ts';
import { LoaderDispatcher } from './loader-dispatcher.ts';

/**
 * A loader with a batch is kept, and with it the hidden classes: V8 drops those without an instance at a full collection, and all code compiled for
 * them with it. Services make loaders for each request.
 */
let isKept = false;
/** While that one is made. */
let posing = false;

/**
 * Loads single keys in batches and caches the promises: the class of the `dataloader` package, with the same interface, semantics and
 * messages, and
 * - a bound on concurrent batches (`maxConcurrency`) and on their time (`timeout`);
 * - loads that can be aborted (`signal`);
 * - errors that do not stay for ever (`errorTtl`), and hits that do not wait (`cacheHits`);
 * - a failed batch takes only its own promises out of the cache, never a newer one of the same key, and does not call `clear` for that;
 * - the keys are frozen: a batch function that sorts them in place fails instead of mixing up the callers' values;
 * - an `Error` of another realm is an error;
 * - equal loads of one batch share one promise;
 * - `cacheKeyFn` or `cacheMap` throwing rejects that load only;
 * - the batch function runs in the async context the loader was made in, not in that of whoever loaded first.
 */
export class DataLoader<K, V, C = K> {
  /** The `name` option; `null` when there was none. */
  name: string | null;
  readonly #dispatcher: LoaderDispatcher<K, V, C>;
  readonly #cache: LoaderCache<V, C> | undefined;
  readonly #cacheKeyFn: ((key: K) => C) | undefined;
  readonly #hitsWait: boolean;

  /** Throws a `TypeError`, or a `RangeError` for a number, when an argument is wrong. */
  constructor(batchLoadFn: BatchLoadFn<K, V>, options?: DataLoaderOptions<K, V, C>) {
    if (typeof batchLoadFn !== 'function') {
      throw new TypeError(
        'DataLoader must be constructed with a function which accepts Array<key> and returns Promise<Array<value>>, ' +
          `but got: ${textOf(batchLoadFn)}.`,
      );
    }
    const settings = dataLoaderSettings(options);
    // An empty name is none, as in the `dataloader` package.
    this.name = options?.name || null;
    this.#cache = settings.cacheMap === null ? undefined : new LoaderCache(settings.cacheMap, settings);
    this.#cacheKeyFn = settings.cacheKeyFn;
    this.#hitsWait = settings.cacheHits === 'batch';
    this.#dispatcher = new LoaderDispatcher({
      settings,
      cache: this.#cache,
      label: this.name ?? 'loader',
      // Callbacks see the loader as `this`, as they do in the `dataloader` package.
      loader: this,
      batchLoadFn,
    });
    if (posing) this.#dispatcher.pose();
    else if (!isKept) keepShapes();
  }

  /**
   * The value of `key`, loaded with the open batch or cached. Rejects with what the batch function gave or threw, a `BatchTimeoutError`, or
   * `signal.reason`. Throws a `TypeError` for `null` and `undefined`.
   */
  load(key: K, options: LoadOptions): Promise<V>;
  /** The value of `key`, loaded with the open batch or cached. Last of the overloads: `keys.map(loader.load, loader)` type-checks by it. */
  load(key: K): Promise<V>;
  load(key: K, options?: LoadOptions): Promise<V> {
    if (key === null || key === undefined) {
      throw new TypeError(`The loader.load() function must be called with a value, but got: ${String(key)}.`);
    }
    // Of whatever is there: `keys.map(loader.load, loader)` gives the index.
    const signal = options?.signal;
    if (signal !== undefined) return this.#loadUntil(key, signal);
    let cacheKey = key as unknown as C;
    try {
      if (this.#cache === undefined) return this.#miss(key, cacheKey);
      if (this.#cacheKeyFn !== undefined) cacheKey = this.#cacheKeyFn.call(this, key);
      const cached = this.#cache.get(cacheKey);
      if (cached) return this.#hit(cached);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#miss(key, cacheKey);
  }

  /**
   * The values of `keys`; an `Error` in the place of each key that could not be loaded. Rejects with `signal.reason`. Throws a `TypeError` for what is
   * no array, or has `null` or `undefined` in it.
   */
  loadMany(keys: ArrayLike<K>, options?: LoadOptions): Promise<(V | Error)[]> {
    if (!isArrayLike(keys)) {
      throw new TypeError(`The loader.loadMany() function must be called with Array<key> but got: ${textOf(keys)}.`);
    }
    const signal = options?.signal;
    if (signal !== undefined) return this.#loadManyUntil(keys, signal);
    const loads: Promise<V | Error>[] = [];
    for (let index = 0; index < keys.length; index++) loads.push(this.load(keys[index] as K).catch(asValue));
    return Promise.all(loads);
  }

  /** Forgets the value of `key`. */
  clear(key: K): this {
    this.#cache?.delete(this.#cacheKeyOf(key));
    return this;
  }

  /** Forgets all values. */
  clearAll(): this {
    this.#cache?.clear();
    return this;
  }

  /** Caches `value` for `key`, unless something is cached already; an `Error` makes loads of it reject. */
  prime(key: K, value: V | PromiseLike<V> | Error): this {
    if (this.#cache === undefined) return this;
    const cacheKey = this.#cacheKeyOf(key);
    if (this.#cache.get(cacheKey) !== undefined) return this;
    const failed = isError(value);
    const promise = failed ? Promise.reject<V>(value) : Promise.resolve(value);
    // Nobody has asked for it yet.
    if (failed) promise.catch(() => {});
    this.#cache.set(cacheKey, promise);
    if (failed) this.#cache.failed(cacheKey, promise);
    return this;
  }

  /** What it has done so far. */
  stats(): DataLoaderStats {
    return this.#dispatcher.counts.snapshot();
  }

  #cacheKeyOf(key: K): C {
    return this.#cacheKeyFn === undefined ? (key as unknown as C) : this.#cacheKeyFn.call(this, key);
  }

  #hit(cached: Promise<V>): Promise<V> {
    const dispatcher = this.#dispatcher;
    dispatcher.counts.hits++;
    dispatcher.aborts?.pin(cached);
    return this.#viewOf(cached);
  }

  /** What a load of this cached promise gets. */
  #viewOf(cached: Promise<V>): Promise<V> {
    const dispatcher = this.#dispatcher;
    if (!this.#hitsWait) {
      dispatcher.countHit();
      return Promise.resolve(cached);
    }
    const { open } = dispatcher;
    const view = open?.findView(cached);
    if (view !== undefined) {
      if (open?.callers !== undefined) dispatcher.telemetry.addCaller(open.callers);
      return view;
    }
    const batch = dispatcher.current();
    const hit = batch.addView(cached);
    if (!batch.scheduled) dispatcher.schedule(batch);
    return hit;
  }

  #miss(key: K, cacheKey: C): Promise<V> {
    const dispatcher = this.#dispatcher;
    dispatcher.counts.misses++;
    const batch = dispatcher.current();
    const promise = batch.add(key, cacheKey);
    if (batch.callers !== undefined) dispatcher.telemetry.addCaller(batch.callers);
    const given = this.#store(cacheKey, promise);
    if (!batch.scheduled) dispatcher.schedule(batch);
    return given;
  }

  #store(cacheKey: C, promise: Promise<V>): Promise<V> {
    try {
      this.#cache?.set(cacheKey, promise);
      return promise;
    } catch (error) {
      // The caller gets this error; what becomes of the load is nobody's.
      promise.catch(() => {});
      return Promise.reject(error);
    }
  }

  /** Like `load`, for a caller that can abort. */
  #loadUntil(key: K, signal: AbortSignal): Promise<V> {
    const aborts = this.#dispatcher.needAborts();
    try {
      if (checkSignal('signal', signal).aborted) return Promise.reject(signal.reason);
      const cacheKey = this.#cache === undefined ? (key as unknown as C) : this.#cacheKeyOf(key);
      const cached = this.#cache?.get(cacheKey);
      if (!cached) return this.#missUntil(key, cacheKey, signal);
      this.#dispatcher.counts.hits++;
      return aborts.wait(this.#viewOf(cached), cached, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Like `loadMany`, for a caller that can abort. */
  async #loadManyUntil(keys: ArrayLike<K>, signal: AbortSignal): Promise<(V | Error)[]> {
    checkSignal('signal', signal).throwIfAborted();
    const loads = Array.from(keys, (key) => this.load(key, { signal }).catch(asValue));
    const values = await Promise.all(loads);
    signal.throwIfAborted();
    return values;
  }

  #missUntil(key: K, cacheKey: C, signal: AbortSignal): Promise<V> {
    const dispatcher = this.#dispatcher;
    const aborts = dispatcher.needAborts();
    dispatcher.counts.misses++;
    const batch = dispatcher.current();
    const load = new AbortableLoad(batch, cacheKey);
    batch.addOwn(key, cacheKey, load.promise);
    aborts.add(load);
    if (batch.callers !== undefined) dispatcher.telemetry.addCaller(batch.callers);
    const given = aborts.wait(this.#store(cacheKey, load.promise), load.promise, signal);
    if (!batch.scheduled) dispatcher.schedule(batch);
    return given;
  }
}

function asValue(error: unknown): Error {
  return error as Error;
}

/** Not when this module is loaded: that must change nothing in the process. Not in the class either: a bundler would rename a class that names itself. */
function keepShapes(): void {
  isKept = posing = true;
  keepMade(() => new DataLoader(async (keys) => keys));
  posing = false;
}
