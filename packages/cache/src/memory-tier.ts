import type { Clock } from '@perf/core';
import { MemoryCache } from './memory-cache.ts';
import type { MemoryCacheOptions } from './memory-options.ts';

/** What a {@link TieredCache} keeps in memory for a key: a value, or the failure to load one. Opaque. */
export interface Held<V> {
  readonly value: V | undefined;
  /** Why the load failed; only looked at when `failed`. */
  readonly error: unknown;
  readonly failed: boolean;
  /** Up to when the value is fresh; after that it is stale, until the cache drops it. */
  readonly freshUntil: number;
  /** Up to when a stale value is not refreshed again, after a refresh that failed. */
  retryAt: number;
}

/** Until when something may be kept, by the cache's clock. */
export interface Life {
  readonly freshUntil: number;
  /** The end: fresh and stale time together. */
  readonly until: number;
}

/** How long an entry is kept while it is not certain that others can tell this process of their changes. */
const UNCONNECTED_TTL = 1_000;

/** The first tier: values in this process. */
export class MemoryTier<K, V> {
  readonly cache: MemoryCache<K, Held<V>>;
  readonly #clock: Clock;
  readonly #ttlLimit: number;
  #connected = true;

  constructor(cache: MemoryCache<K, Held<V>>, limits: { readonly clock: Clock; readonly ttl: number }) {
    this.cache = cache;
    this.#clock = limits.clock;
    this.#ttlLimit = limits.ttl;
  }

  /** What is held for `key` and not over; counts as a use. */
  find(key: K): Held<V> | undefined {
    return this.cache.get(key);
  }

  isFresh(held: Held<V>): boolean {
    return held.freshUntil === Infinity || this.#clock.now() < held.freshUntil;
  }

  /** Whether it is time to refresh this stale value. */
  mayRefresh(held: Held<V>): boolean {
    return this.#clock.now() >= held.retryAt;
  }

  /** Keeps a value, not longer than the memory's own `ttl`. What `weigh` throws is thrown, and nothing is held for the key then. */
  keep(key: K, value: V, life: Life): void {
    // Without a grace period the end of the entry says it all, and a hit needs to read the clock only once.
    const freshUntil = life.freshUntil === life.until ? Infinity : life.freshUntil;
    this.#hold(key, { value, error: undefined, failed: false, freshUntil, retryAt: -Infinity }, life.until);
  }

  /** Remembers a failure, unless there is a value: stale is better than none. */
  keepFailure(key: K, error: unknown, ttl: number): void {
    const held = this.cache.peek(key);
    if (held !== undefined && !held.failed) return;
    const failure = { value: undefined, error, failed: true, freshUntil: Infinity, retryAt: -Infinity };
    this.#hold(key, failure, this.#clock.now() + ttl);
  }

  /** Leaves a stale value alone for `ms` milliseconds. */
  postponeRefresh(key: K, ms: number): void {
    const held = this.cache.peek(key);
    if (held !== undefined) held.retryAt = this.#clock.now() + ms;
  }

  delete(key: K): void {
    this.cache.delete(key);
  }

  clear(): void {
    this.cache.clear();
  }

  /** Says whether changes made elsewhere are heard of. What is held was kept under another assumption and goes. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
    this.cache.clear();
  }

  #hold(key: K, held: Held<V>, until: number): void {
    const limit = this.#connected ? this.#ttlLimit : Math.min(this.#ttlLimit, UNCONNECTED_TTL);
    const ttl = Math.min(until - this.#clock.now(), limit);
    try {
      if (ttl > 0) this.cache.set(key, held, { ttl });
      else this.cache.delete(key);
    } catch (error) {
      this.cache.delete(key);
      throw error;
    }
  }
}

/** The memory behind a {@link MemoryTier}, for options that speak of values: weight and removals are those of the value inside. */
export function memoryOf<K, V>(options: MemoryCacheOptions<K, V>, clock: Clock): MemoryCache<K, Held<V>> {
  const { weigh, onRemove, ...rest } = options;
  return new MemoryCache<K, Held<V>>({
    clock,
    ...rest,
    ...(weigh && { weigh: (held: Held<V>, key: K) => (held.failed ? 1 : weigh(held.value as V, key)) }),
    ...(onRemove && {
      onRemove: (key: K, held: Held<V>, reason) => {
        if (!held.failed) onRemove(key, held.value as V, reason);
      },
    }),
  });
}

/** Memories in use: two caches in one would be given each other's values. */
const adopted = /*@__PURE__*/ new WeakSet<object>();

/** @throws TypeError when another cache has it */
export function adopt(memory: object): void {
  if (adopted.has(memory)) throw new TypeError('`memory` is in use by another TieredCache');
  adopted.add(memory);
}
