import { type Closeable, ClosedError, type StatsSource, checkDuration, checkLimit } from '@perf/core';
import { Entries, type Terms } from './entries.ts';
import {
  type MemoryCacheOptions,
  type MemorySetOptions,
  checkSetOptions,
  checkWeight,
  resolveMemoryOptions,
} from './memory-options.ts';
import type { MemoryCacheStats } from './memory-stats.ts';
import { RemovalQueue } from './removal-queue.ts';
import { observeMemory } from './telemetry.ts';

/**
 * A bounded, synchronous cache in memory, used like a `Map`. It never holds more than `maxSize` entries or `maxWeight`, never serves an expired entry
 * (see {@link MemoryCacheOptions.ttl} for the one bound to that), and frees expired ones by itself. `has`, `get` and `peek` agree for every value, `undefined` included.
 *
 * `get`, `set` and `delete` are O(1), amortised.
 */
export class MemoryCache<K, V> implements Iterable<[K, V]>, Closeable, StatsSource<MemoryCacheStats> {
  readonly #entries: Entries<K, V>;
  readonly #removals: RemovalQueue<K, V>;
  readonly #weigh: ((value: V, key: K) => number) | undefined;
  /** What a `set` without options means, where nothing is weighed. */
  readonly #terms: Terms;
  readonly #maxWeight: number;
  readonly #unobserve: () => void;
  #closed = false;
  #hits = 0;
  #misses = 0;
  #sets = 0;

  /** @throws RangeError or TypeError naming the option that is wrong */
  constructor(options: MemoryCacheOptions<K, V> = {}) {
    const resolved = resolveMemoryOptions(options);
    this.#weigh = resolved.weigh;
    this.#terms = { ttl: resolved.ttl, weight: 1 };
    this.#maxWeight = resolved.maxWeight;
    this.#removals = new RemovalQueue(resolved.onRemove);
    this.#entries = new Entries(resolved, this.#removals);
    this.#unobserve = observeMemory(this, resolved.name);
  }

  /** How many entries it holds, those included that have expired and are not swept yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** What the entries weigh together. */
  get weight(): number {
    return this.#entries.weight;
  }

  /** Milliseconds from `set` until an entry expires, where that does not say otherwise. */
  get ttl(): number {
    return this.#terms.ttl;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The value of `key`, or `undefined`; counts as a use. @throws ClosedError */
  get(key: K): V | undefined {
    const slot = this.#entries.use(key);
    if (slot < 0) return this.#miss();
    this.#hits++;
    return this.#entries.valueAt(slot);
  }

  /** Like {@link MemoryCache.get}, leaving no trace: not counted, no use, no longer life. @throws ClosedError */
  peek(key: K): V | undefined {
    this.#checkOpen();
    const slot = this.#entries.find(key);
    return slot < 0 ? undefined : this.#entries.valueAt(slot);
  }

  /** Whether `key` has a value, be it `undefined`; leaves no trace. @throws ClosedError */
  has(key: K): boolean {
    this.#checkOpen();
    return this.#entries.find(key) >= 0;
  }

  /**
   * Keeps `value` for `key`, making room first. A value heavier than `maxWeight` is not kept, and what `key` had before is gone as well.
   *
   * @throws RangeError or TypeError for a bad `ttl` or weight, ClosedError; nothing has changed then
   */
  set(key: K, value: V, options?: MemorySetOptions): this {
    const terms = options === undefined && this.#weigh === undefined ? this.#terms : this.#termsOf(key, value, options);
    // After `weigh`, which is free to use the cache, and to close it.
    this.#checkOpen();
    this.#sets++;
    this.#entries.put(key, value, terms);
    this.#removals.flush();
    return this;
  }

  /** Removes `key`. @returns whether it had a value that had not expired. @throws ClosedError */
  delete(key: K): boolean {
    this.#checkOpen();
    const deleted = this.#entries.delete(key);
    this.#removals.flush();
    return deleted;
  }

  /** Removes everything. @throws ClosedError */
  clear(): void {
    this.#checkOpen();
    this.#entries.clear();
    this.#removals.flush();
  }

  /** The keys, in no particular order. The cache may be changed meanwhile: what is gone is not visited any more. @throws ClosedError */
  *keys(): Generator<K, undefined> {
    this.#checkOpen();
    for (const slot of this.#entries.slots()) yield this.#entries.keyAt(slot);
  }

  /** The values; see {@link MemoryCache.keys}. */
  *values(): Generator<V, undefined> {
    this.#checkOpen();
    for (const slot of this.#entries.slots()) yield this.#entries.valueAt(slot);
  }

  /** The entries; see {@link MemoryCache.keys}. */
  *entries(): Generator<[K, V], undefined> {
    this.#checkOpen();
    for (const slot of this.#entries.slots()) yield [this.#entries.keyAt(slot), this.#entries.valueAt(slot)];
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  /** Holds at most `maxSize` entries from now on; what is too much is evicted at once. @throws RangeError, TypeError, ClosedError */
  resize(maxSize: number): void {
    this.#checkOpen();
    this.#entries.resize(checkLimit('maxSize', maxSize));
    this.#removals.flush();
  }

  /** Removes every expired entry now, in O(size). It happens by itself too, a little later. @returns how many. @throws ClosedError */
  purgeExpired(): number {
    this.#checkOpen();
    const purged = this.#entries.purge();
    this.#removals.flush();
    return purged;
  }

  /** A fresh snapshot; allowed after `close()`. */
  stats(): MemoryCacheStats {
    return {
      size: this.#entries.size,
      weight: this.#entries.weight,
      maxSize: this.#entries.maxSize,
      maxWeight: this.#maxWeight,
      hits: this.#hits,
      misses: this.#misses,
      sets: this.#sets,
      removals: this.#removals.counts,
      listenerErrors: this.#removals.errors,
    };
  }

  /** Removes everything (`onRemove` hears of it as `'clear'`) and stops the timer. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unobserve();
    this.#entries.clear();
    this.#removals.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('MemoryCache', 'PERF_CACHE_CLOSED');
  }

  /** A closed cache holds nothing, so that only a miss has to look. */
  #miss(): undefined {
    this.#checkOpen();
    this.#misses++;
    this.#removals.flush();
    return undefined;
  }

  #termsOf(key: K, value: V, options: MemorySetOptions = {}): Terms {
    checkSetOptions(options);
    const ttl = options.ttl === undefined ? this.#terms.ttl : checkDuration('ttl', options.ttl);
    if (options.weight !== undefined) return { ttl, weight: checkWeight(options.weight) };
    return { ttl, weight: this.#weigh === undefined ? 1 : checkWeight(this.#weigh(value, key)) };
  }
}
