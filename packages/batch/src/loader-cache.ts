import type { Clock } from '@perf/core';
import type { CacheMap, DataLoaderSettings } from './data-loader-options.ts';

/** The promises of a {@link DataLoader}, some of which are of errors that do not stay. */
export class LoaderCache<V, C> {
  readonly #map: CacheMap<C, Promise<V>>;
  readonly #errorTtl: number;
  readonly #clock: Clock;
  /** Until when an error stays. Weak: the map may be bounded, or cleared by the program. Made with the first error. */
  #until: WeakMap<Promise<V>, number> | undefined = undefined;

  constructor(map: CacheMap<C, Promise<V>>, { errorTtl, clock }: DataLoaderSettings<never, V, C>) {
    this.#map = map;
    this.#errorTtl = errorTtl;
    this.#clock = clock;
  }

  /** What is cached, if its time is not up. */
  get(cacheKey: C): Promise<V> | undefined | void {
    const cached = this.#map.get(cacheKey);
    if (this.#until === undefined || !cached) return cached;
    const until = this.#until.get(cached);
    if (until === undefined || this.#clock.now() < until) return cached;
    this.#map.delete(cacheKey);
    return undefined;
  }

  set(cacheKey: C, promise: Promise<V>): void {
    this.#map.set(cacheKey, promise);
  }

  delete(cacheKey: C): void {
    this.#map.delete(cacheKey);
  }

  clear(): void {
    this.#map.clear();
  }

  /** Takes `promise` out, but not a newer one: the key may have been cleared and loaded anew meanwhile. */
  evict(cacheKey: C, promise: Promise<V>): void {
    try {
      if (this.#map.get(cacheKey) === promise) this.#map.delete(cacheKey);
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
