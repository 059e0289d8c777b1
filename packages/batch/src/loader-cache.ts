import type { Clock } from '@perf/core';
import type { CacheMap, DataLoaderSettings } from './data-loader-options.ts';

/** The promises of a {@link DataLoader}, some of which are of errors that do not stay. */
export class LoaderCache<V, C> {
  /** Its own is made with the first promise: of the loaders of a request many are never asked. */
  #map: CacheMap<C, Promise<V>> | undefined;
  readonly #errorTtl: number;
  readonly #clock: Clock;
  /** Until when an error stays. Weak: the map may be bounded, or cleared by the program. Made with the first error. */
  #until: WeakMap<Promise<V>, number> | undefined = undefined;

  constructor(map: CacheMap<C, Promise<V>> | undefined, { errorTtl, clock }: DataLoaderSettings<never, V, C>) {
    this.#map = map;
    this.#errorTtl = errorTtl;
    this.#clock = clock;
  }

  /** What is cached, if its time is not up. */
  get(cacheKey: C): Promise<V> | undefined | void {
    const map = this.#map;
    if (map === undefined) return undefined;
    const cached = map.get(cacheKey);
    if (this.#until === undefined || !cached) return cached;
    const until = this.#until.get(cached);
    if (until === undefined || this.#clock.now() < until) return cached;
    map.delete(cacheKey);
    return undefined;
  }

  set(cacheKey: C, promise: Promise<V>): void {
    this.#map ??= new Map<C, Promise<V>>();
    this.#map.set(cacheKey, promise);
  }

  delete(cacheKey: C): void {
    this.#map?.delete(cacheKey);
  }

  clear(): void {
    this.#map?.clear();
  }

  /** Takes `promise` out, but not a newer one: the key may have been cleared and loaded anew meanwhile. */
  evict(cacheKey: C, promise: Promise<V>): void {
    try {
      if (this.#map?.get(cacheKey) === promise) this.#map.delete(cacheKey);
    } catch {
      // A cache that fails to forget must not keep the callers waiting.
    }
  }

  /** `promise` has rejected, or is about to, with an `Error` for its key. */
  failed(cacheKey: C, promise: Promise<V>): void {
    if (this.#errorTtl === Infinity) return;
    if (this.#errorTtl === 0) {
      this.evict(cacheKey, promise);
      return;
    }
    this.#until ??= new WeakMap();
    this.#until.set(promise, this.#clock.now() + this.#errorTtl);
  }
}
