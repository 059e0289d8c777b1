import { type Closeable, ClosedError, type StatsSource, abortable, checkFunction } from '@perf/core';
import { BusLink } from './bus-link.ts';
import { type CacheKey, checkKey, fromStoreKey, toStoreKey } from './cache-key.ts';
import type { Bus } from './bus.ts';
import type { Flight } from './flight.ts';
import { InFlight } from './in-flight.ts';
import type { Landing, LoadRequest } from './load-group.ts';
import {
  type EntryOptions,
  type Loader,
  type ManyLoader,
  NO_OPTIONS,
  type WaitOptions,
  checkEntryOptions,
  checkWaitOptions,
  loadAlone,
} from './loader.ts';
import { Loads } from './loads.ts';
import { MemoryCache } from './memory-cache.ts';
import { type Held, MemoryTier, adopt, memoryOf } from './memory-tier.ts';
import { StoreTier } from './store-tier.ts';
import { observeTiered } from './telemetry.ts';
import { type ResolvedTieredOptions, type TieredCacheOptions, resolveTieredOptions } from './tiered-options.ts';
import { type TieredCacheStats, type TieredCounts, newCounts } from './tiered-stats.ts';

/**
 * A cache of two tiers, memory and a store shared with other processes, that loads what it does not have.
 *
 * Each key is loaded by one call at a time, however many ask. A value that was loaded or read before a `set`, `delete` or `clear` never replaces what came of it: in this
 * process by fences, in the store by versions.
 *
 * Values are shared, not copied: do not change what you get.
 */
export class TieredCache<K extends CacheKey, V> implements Closeable, StatsSource<TieredCacheStats> {
  readonly #options: ResolvedTieredOptions<K, V>;
  readonly #memory: MemoryTier<K, V>;
  readonly #store: StoreTier<V> | undefined;
  readonly #bus: BusLink | undefined;
  readonly #inFlight = new InFlight<K, V>();
  readonly #loads: Loads<K, V>;
  readonly #counts: TieredCounts = newCounts();
  readonly #changes = new Set<Promise<void>>();
  readonly #unobserve: () => void;
  #closing: Promise<void> | undefined;

  /** @throws RangeError or TypeError naming the option that is wrong */
  constructor(options: TieredCacheOptions<K, V> = {}) {
    const resolved = resolveTieredOptions(options);
    const { memory, store, bus, namespace, codec, clock, storeTimeout: timeout, name } = resolved;
    this.#options = resolved;
    const isOwn = !(memory instanceof MemoryCache);
    if (!isOwn) adopt(memory);
    const cache = isOwn ? memoryOf(name === undefined ? memory : { name, ...memory }, clock) : memory;
    this.#memory = new MemoryTier(cache, { clock, ttl: isOwn ? (memory.ttl ?? Infinity) : Infinity });
    this.#store = store && new StoreTier({ store, namespace, codec, clock, timeout });
    this.#loads = new Loads({
      ...resolved,
      memory: this.#memory,
      store: this.#store,
      inFlight: this.#inFlight,
      counts: this.#counts,
    });
    this.#bus = bus && this.#link({ bus, namespace, timeout });
    this.#unobserve = observeTiered(this, name);
  }

  /** Entries in memory. */
  get size(): number {
    return this.#memory.cache.size;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** The fresh value of `key` in memory or in the store, `undefined` when there is none. A store in trouble has none. @throws ClosedError */
  async get(key: K, options: WaitOptions = NO_OPTIONS): Promise<V | undefined> {
    return (await this.getMany([key], options)).get(key);
  }

  /** The fresh values there are, in the order of the keys, with one question to the store. @throws ClosedError */
  async getMany(keys: readonly K[], options: WaitOptions = NO_OPTIONS): Promise<Map<K, V>> {
    this.#checkCall(keys);
    checkWaitOptions(options);
    const unique = [...new Set(keys)];
    const found = new Map<K, V>();
    for (const key of unique) {
      const held = this.#memory.find(key);
      if (held === undefined || held.failed || !this.#memory.isFresh(held)) continue;
      this.#counts.memoryHits++;
      found.set(key, held.value as V);
    }
    const missing = unique.filter((key) => !found.has(key));
    if (missing.length === 0) return found;
    const stored =
      this.#store === undefined
        ? new Map<K, V>()
        : await abortable(this.#loads.readThrough(missing, this.#store), options.signal);
    this.#counts.misses += missing.length - stored.size;
    return inOrder(unique, found, stored);
  }

  /**
   * The value of `key`: from memory, from the store, or from `loader`, which runs once however many ask. A `loader` that was given with another call for the same key may be
   * the one that runs.
   *
   * Rejects with what the loader throws, with `LoadTimeoutError`, `signal.reason` or `ClosedError`.
   */
  async getOrLoad(key: K, loader: Loader<K, V>, options: EntryOptions = NO_OPTIONS): Promise<V> {
    this.#checkCall([key]);
    checkEntryOptions(options);
    checkFunction('loader', loader);
    let request: LoadRequest<K, V> | undefined;
    for (;;) {
      const held = this.#hit(key);
      if (held !== undefined && !this.#isDue(held)) return held.value as V;
      request ??= this.#request(loadAlone(loader), options);
      if (held !== undefined) {
        this.#loads.refresh(new Map([[key, held.value as V]]), request);
        return held.value as V;
      }
      const landing = await this.#join(key, request).join(options.signal);
      if (landing.found) return landing.value;
      // It was being loaded with others, and that loader has no value for it: now it is loaded alone.
    }
  }

  /**
   * The values of `keys`, in their order. `loader` is called at most once, with exactly the keys that neither a tier nor a load under way has; keys that it returns no value for are left
   * out of the result, and not remembered. Stale values are refreshed by a call of its own, in the background.
   *
   * Rejects like {@link TieredCache.getOrLoad}, also when a key whose load was under way fails.
   */
  async getOrLoadMany(
    keys: readonly K[],
    loader: ManyLoader<K, V>,
    options: EntryOptions = NO_OPTIONS,
  ): Promise<Map<K, V>> {
    this.#checkCall(keys);
    checkEntryOptions(options);
    checkFunction('loader', loader);
    const request = this.#request(loader, options);
    const unique = [...new Set(keys)];
    const found = new Map<K, V>();
    let missing: K[] = [];
    const stale = new Map<K, V>();
    for (const key of unique) {
      const held = this.#hit(key);
      if (held === undefined) missing.push(key);
      else found.set(key, held.value as V);
      if (held !== undefined && this.#isDue(held)) stale.set(key, held.value as V);
    }
    this.#loads.refresh(stale, request);
    const loaded = new Map<K, V>();
    while (missing.length > 0) missing = await this.#loadMany(missing, { request, loaded, signal: options.signal });
    return inOrder(unique, found, loaded);
  }

  /**
   * Keeps `value` in both tiers, and tells other processes. In memory it is at once.
   *
   * Rejects with `StoreError` or `BusError` when they could not be told, with the codec's `CodecError` (nothing has changed then), `signal.reason` (it goes on)
   * or `ClosedError`.
   */
  async set(key: K, value: V, options: EntryOptions = NO_OPTIONS): Promise<void> {
    this.#checkCall([key]);
    checkEntryOptions(options);
    const ttl = options.ttl ?? this.#options.ttl;
    const { staleFor, clock } = this.#options;
    const write = this.#store?.encode(key, value, { ttl, staleFor });
    this.#inFlight.invalidate(key);
    const now = clock.now();
    this.#memory.keep(key, value, { freshUntil: now + ttl, until: now + ttl + staleFor });
    const change = this.#change(write && (() => this.#store?.set(write)), [toStoreKey(key)]);
    await abortable(change, options.signal);
  }

  /** {@link TieredCache.deleteMany} for one key. */
  async delete(key: K, options: WaitOptions = NO_OPTIONS): Promise<void> {
    await this.deleteMany([key], options);
  }

  /**
   * Removes the keys from both tiers, and tells other processes. A load of them that is under way is for those who wait for it already.
   *
   * Rejects with `StoreError` or `BusError` when they could not be told, `signal.reason` (it goes on) or `ClosedError`.
   */
  async deleteMany(keys: readonly K[], options: WaitOptions = NO_OPTIONS): Promise<void> {
    this.#checkCall(keys);
    checkWaitOptions(options);
    if (keys.length === 0) return;
    for (const key of keys) {
      this.#inFlight.invalidate(key);
      this.#memory.delete(key);
    }
    const names = keys.map(toStoreKey);
    await abortable(
      this.#change(() => this.#store?.deleteMany(keys), names),
      options.signal,
    );
  }

  /** Removes everything in the namespace, like {@link TieredCache.deleteMany} of every key. */
  async clear(options: WaitOptions = NO_OPTIONS): Promise<void> {
    this.#checkCall([]);
    checkWaitOptions(options);
    this.#inFlight.invalidateAll();
    this.#memory.clear();
    await abortable(
      this.#change(() => this.#store?.clear(), undefined),
      options.signal,
    );
  }

  /** A fresh snapshot; allowed after `close()`. */
  stats(): TieredCacheStats {
    const { size, weight } = this.#memory.cache;
    return {
      ...this.#counts,
      size,
      weight,
      inFlight: this.#inFlight.size,
      storeFailures: this.#store?.failures ?? 0,
      unsynced: this.#store?.unsynced ?? 0,
    };
  }

  /**
   * Refuses new calls, gives up background refreshes, waits for the loads and changes that are under way, and frees the memory. The store, the bus and a memory that was
   * given stay open. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#inFlight.release(this.#closedError());
    await this.#loads.drain();
    while (this.#changes.size > 0) await Promise.allSettled(this.#changes);
    this.#bus?.close();
    this.#unobserve();
    if (!(this.#options.memory instanceof MemoryCache)) await this.#memory.cache.close();
  }

  /** What memory answers a load with: a value, stale ones included. @throws the failure it remembers */
  #hit(key: K): Held<V> | undefined {
    const held = this.#memory.find(key);
    if (held === undefined) return undefined;
    if (held.failed) {
      this.#counts.negativeHits++;
      throw held.error;
    }
    if (this.#memory.isFresh(held)) this.#counts.memoryHits++;
    else this.#counts.staleHits++;
    return held;
  }

  /** Whether a value should be refreshed. */
  #isDue(held: Held<V>): boolean {
    return !this.#memory.isFresh(held) && this.#memory.mayRefresh(held);
  }

  /** The load of `key` that is under way, or a new one. */
  #join(key: K, request: LoadRequest<K, V>): Flight<Landing<V>> {
    const flight = this.#inFlight.flightOf(key);
    if (flight !== undefined) {
      this.#counts.coalesced++;
      return flight;
    }
    return this.#loads.start([key], request)[0] as Flight<Landing<V>>;
  }

  /** One round: joins and starts loads. @returns the keys that a load of others had no value for */
  async #loadMany(
    keys: readonly K[],
    round: {
      readonly request: LoadRequest<K, V>;
      readonly loaded: Map<K, V>;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<K[]> {
    const joined = keys.filter((key) => this.#inFlight.flightOf(key) !== undefined);
    const absent = keys.filter((key) => this.#inFlight.flightOf(key) === undefined);
    this.#counts.coalesced += joined.length;
    const flights = joined.map((key) => this.#inFlight.flightOf(key) as Flight<Landing<V>>);
    if (absent.length > 0) flights.push(...this.#loads.start(absent, round.request));
    const landings = await Promise.all(flights.map((flight) => flight.join(round.signal)));
    for (const [index, key] of [...joined, ...absent].entries()) {
      const landing = landings[index] as Landing<V>;
      if (landing.found) round.loaded.set(key, landing.value);
    }
    return joined.filter((key) => !round.loaded.has(key));
  }

  #request(load: LoadRequest<K, V>['load'], options: EntryOptions): LoadRequest<K, V> {
    const ttl = options.ttl ?? this.#options.ttl;
    return { load, ttl };
  }

  /** Changes the store, then tells the others whether or not that went well: what they hold is outdated in any case. */
  #change(change: (() => Promise<void> | undefined) | undefined, names: readonly string[] | undefined): Promise<void> {
    const run = async (): Promise<void> => {
      try {
        await change?.();
      } finally {
        await this.#publish(names);
      }
    };
    const running = run().finally(() => this.#changes.delete(running));
    this.#changes.add(running);
    return running;
  }

  async #publish(names: readonly string[] | undefined): Promise<void> {
    try {
      await this.#bus?.publish(names);
    } catch (error) {
      this.#counts.busFailures++;
      throw error;
    }
  }

  #link(options: { readonly bus: Bus; readonly namespace: string; readonly timeout: number }): BusLink {
    const allChanged = (): void => {
      this.#inFlight.invalidateAll();
      this.#memory.clear();
    };
    return new BusLink(options, {
      changed: (names) => {
        for (const name of names) {
          const key = fromStoreKey(name) as K;
          this.#inFlight.invalidate(key);
          this.#memory.delete(key);
        }
      },
      allChanged,
      connected: (connected) => {
        this.#memory.setConnected(connected);
        allChanged();
      },
    });
  }

  #checkCall(keys: readonly K[]): void {
    if (this.#closing !== undefined) throw this.#closedError();
    for (const key of keys) checkKey(key);
  }

  #closedError(): ClosedError {
    return new ClosedError('TieredCache', 'PERF_CACHE_CLOSED');
  }
}

function inOrder<K, V>(keys: readonly K[], ...sources: readonly ReadonlyMap<K, V>[]): Map<K, V> {
  const ordered = new Map<K, V>();
  for (const key of keys) {
    const source = sources.find((each) => each.has(key));
    if (source !== undefined) ordered.set(key, source.get(key) as V);
  }
  return ordered;
}
