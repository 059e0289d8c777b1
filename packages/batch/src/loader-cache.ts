import type { Clock } from '@perf/core';
import type { CacheMap, DataLoaderSettings } from './data-loader-options.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';

/** An error that stays cached until its time is up. */
interface Failure<V, C> extends Link {
  readonly cacheKey: C;
  readonly promise: Promise<V>;
  readonly until: number;
}

/** The promises of a {@link DataLoader}: takes out only what it is asked to, and errors when their time is up. */
export class LoaderCache<V, C> {
  readonly #map: CacheMap<C, Promise<V>> | null;
  readonly #errorTtl: number;
  readonly #clock: Clock;
  /** The oldest first, which is the first to go: all have the same time to live. */
  readonly #failures = new LinkedQueue<Failure<V, C>>();

  constructor({ cacheMap, errorTtl, clock }: DataLoaderSettings<never, V, C>) {
    this.#map = cacheMap;
    this.#errorTtl = errorTtl;
    this.#clock = clock;
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
    if (this.#errorTtl === 0) {
      this.evict(cacheKey, promise);
      return;
    }
    if (this.#errorTtl === Infinity || this.#map === null) return;
    const until = this.#clock.now() + this.#errorTtl;
    this.#failures.push({ previous: undefined, next: undefined, cacheKey, promise, until });
  }

  /** Takes out the errors whose time is up. Returns whether there were any. */
  expire(): boolean {
    if (this.#failures.size === 0) return false;
    const now = this.#clock.now();
    const before = this.#failures.size;
    let oldest = this.#failures.head;
    while (oldest !== undefined && oldest.until <= now) {
      this.#failures.remove(oldest);
      this.evict(oldest.cacheKey, oldest.promise);
      oldest = this.#failures.head;
    }
    return this.#failures.size < before;
  }
}
