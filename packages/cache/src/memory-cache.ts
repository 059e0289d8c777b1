import { type Closeable, ClosedError, type StatsSource, checkDuration, checkLimit } from '@perf/core';
import { Entries } from './entries.ts';
import {
  type MemoryCacheOptions,
  type MemorySetOptions,
  type RemovalReason,
  checkSetOptions,
  checkWeight,
  resolveMemoryOptions,
} from './memory-options.ts';
import type { MemoryCacheStats } from './memory-stats.ts';
import { RemovalQueue } from './removal-queue.ts';
import { observeMemory } from './telemetry.ts';

/**
 * A bounded, synchronous cache in memory, used like a `Map`. It never holds more than `maxSize` entries or `maxWeight`, never serves an expired entry,
 * and frees expired ones by itself. `has`, `get` and `peek` agree for every value, `undefined` included.
 *
 * `get`, `set` and `delete` are O(1), amortised.
 */
export class MemoryCache<K, V> implements Iterable<[K, V]>, Closeable, StatsSource<MemoryCacheStats> {
  readonly #entries: Entries<K, V>;
  readonly #removals: RemovalQueue<K, V> | undefined;
  readonly #weigh: ((value: V, key: K) => number) | undefined;
  readonly #ttl: number;
  readonly #maxWeight: number;
  readonly #unobserve: () => void;
  #closed = false;
  #hits = 0;
  #misses = 0;
  #sets = 0;
  #evictions = 0;
  #expirations = 0;

  /** @throws RangeError or TypeError naming the option that is wrong */
  constructor(options: MemoryCacheOptions<K, V> = {}) {
    const resolved = resolveMemoryOptions(options);
    this.#weigh = resolved.weigh;
    this.#ttl = resolved.ttl;
    this.#maxWeight = resolved.maxWeight;
    this.#removals = resolved.onRemove && new RemovalQueue(resolved.onRemove);
    this.#entries = new Entries(resolved, {
      removed: (key, value, reason) => this.#removed(key, value, reason),
      swept: () => this.#removals?.flush(),
    });
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

  get closed(): boolean {
    return this.#closed;
  }

  /** The value of `key`, or `undefined`; counts as a use. @throws ClosedError */
  get(key: K): V | undefined {
    this.#checkOpen();
    const slot = this.#entries.use(key);
    if (slot >= 0) {
      this.#hits++;
      return this.#entries.valueAt(slot);
    }
    this.#misses++;
    this.#removals?.flush();
    return undefined;
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
    if (options !== undefined) checkSetOptions(options);
    const ttl = options?.ttl === undefined ? this.#ttl : checkDuration('ttl', options.ttl);
    const weight = this.#weightOf(key, value, options);
    // After `weigh`, which is free to use the cache, and to close it.
    this.#checkOpen();
    this.#sets++;
    this.#entries.put(key, value, { ttl, weight });
    this.#removals?.flush();
    return this;
  }

  /** Removes `key`. @returns whether it had a value that had not expired. @throws ClosedError */
  delete(key: K): boolean {
    this.#checkOpen();
    const deleted = this.#entries.delete(key);
    this.#removals?.flush();
    return deleted;
  }

  /** Removes everything. @throws ClosedError */
  clear(): void {
    this.#checkOpen();
    this.#entries.clear();
    this.#removals?.flush();
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
    this.#removals?.flush();
  }

  /** Removes every expired entry now, in O(size). It happens by itself too, a little later. @returns how many. @throws ClosedError */
  purgeExpired(): number {
    this.#checkOpen();
    const purged = this.#entries.purge();
    this.#removals?.flush();
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
      evictions: this.#evictions,
      expirations: this.#expirations,
      listenerErrors: this.#removals?.errors ?? 0,
    };
  }

  /** Removes everything (`onRemove` hears of it as `'clear'`) and stops the timer. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unobserve();
    this.#entries.clear();
    this.#removals?.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('MemoryCache', 'PERF_CACHE_CLOSED');
  }

  #weightOf(key: K, value: V, options: MemorySetOptions | undefined): number {
    if (options?.weight !== undefined) return checkWeight(options.weight);
    return this.#weigh === undefined ? 1 : checkWeight(this.#weigh(value, key));
  }

  #removed(key: K, value: V, reason: RemovalReason): void {
    if (reason === 'evict') this.#evictions++;
    else if (reason === 'expire') this.#expirations++;
    this.#removals?.push(key, value, reason);
  }
}
