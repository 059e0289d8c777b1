import { type Closeable, ClosedError, type StatsSource, abortable, checkFunction, deadline } from '@perf/core';
import { BusLink } from './bus-link.ts';
import { type CacheKey, checkKey } from './cache-key.ts';
import { Changes } from './changes.ts';
import type { Flight } from './flight.ts';
import { InFlight } from './in-flight.ts';
import { Keeper } from './keeper.ts';
import type { Landing, LoadRequest, OfValue, Outgoing } from './load-group.ts';
import {
  type EntryOptions,
  type LoadOptions,
  type Loader,
  type ManyLoader,
  NO_OPTIONS,
  type WaitOptions,
  areEvident,
  checkEntryOptions,
  checkLoadOptions,
  checkTags,
  checkWaitOptions,
  loadAlone,
} from './loader.ts';
import { Loads } from './loads.ts';
import { ManyLoads } from './many-loads.ts';
import { MemoryCache } from './memory-cache.ts';
import { type Held, type MemoryTier, memoryTier } from './memory-tier.ts';
import { type ReadsOptions, readOneThrough, readThrough } from './reads.ts';
import { StoreTier } from './store-tier.ts';
import { TagHistory } from './tag-history.ts';
import { observeTiered } from './telemetry.ts';
import { type ResolvedTieredOptions, type TieredCacheOptions, resolveTieredOptions } from './tiered-options.ts';
import { type TieredCacheStats, type TieredCounts, newCounts } from './tiered-stats.ts';
import { jittered } from './ttl-jitter.ts';
import type { Change } from './unsynced-changes.ts';
import { NO_TAGS } from './no-tags.ts';

/**
 * A cache of two tiers, memory and a store shared with other processes, that loads what it does not have.
 *
 * Each key is loaded by one call at a time, however many ask, in this process and (with a store that has leases) in all of them. A value that was loaded or read before a `set`, `delete`,
 * `invalidateTags` or `clear` never replaces what came of it: in this process by fences, in the store by versions.
 *
 * Values are shared, not copied: do not change what you get.
 */
export class TieredCache<K extends CacheKey, V> implements Closeable, StatsSource<TieredCacheStats> {
  readonly #options: ResolvedTieredOptions<K, V>;
  readonly #memory: MemoryTier<K, V>;
  readonly #store: StoreTier<V> | undefined;
  readonly #bus: BusLink | undefined;
  readonly #inFlight: InFlight<K, V>;
  readonly #loads: Loads<K, V>;
  /** What reading from the store takes; `undefined` when there is none. */
  readonly #reads: ReadsOptions<K, V> | undefined;
  readonly #changes: Changes<K, V>;
  readonly #counts: TieredCounts = newCounts();
  readonly #unobserve: () => void;
  #closing: Promise<void> | undefined;

  /** @throws RangeError or TypeError naming the option that is wrong */
  constructor(options: TieredCacheOptions<K, V> = {}) {
    const resolved = resolveTieredOptions(options);
    const { memory, store, bus, namespace, clock, storeTimeout: timeout, refreshAhead: eagerness, name } = resolved;
    this.#options = resolved;
    const history = new TagHistory();
    this.#memory = memoryTier(memory, { clock, eagerness, history, name });
    const onRepeated = (change: Change): void => this.#changes.tell(change);
    this.#store = store && new StoreTier({ ...resolved, store, timeout, onRepeated });
    this.#inFlight = new InFlight({ history, clock });
    const parts = { memory: this.#memory, store: this.#store, inFlight: this.#inFlight, counts: this.#counts };
    const keeper = new Keeper({ ...resolved, ...parts });
    this.#loads = new Loads({ ...resolved, ...parts, keeper });
    this.#reads = this.#store && { ...parts, store: this.#store, keeper, clock };
    this.#changes = new Changes({ ...resolved, ...parts, history });
    this.#bus = bus && this.#link({ bus, namespace, timeout });
    this.#changes.bus = this.#bus;
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
  get(key: K, options: WaitOptions = NO_OPTIONS): Promise<V | undefined> {
    try {
      this.#checkOpen();
      checkWaitOptions(options);
      const held = this.#freshIn(key);
      if (held !== undefined) return Promise.resolve(held.value);
      checkKey(key);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#reads !== undefined) return abortable(readOneThrough(key, this.#reads), options.signal);
    this.#counts.misses++;
    return Promise.resolve(undefined);
  }

  /** The fresh values there are, in the order of the keys, with one question to the store. @throws ClosedError */
  async getMany(keys: readonly K[], options: WaitOptions = NO_OPTIONS): Promise<Map<K, V>> {
    this.#checkCall(keys);
    checkWaitOptions(options);
    const unique = [...new Set(keys)];
    const found = new Map<K, V>();
    for (const key of unique) {
      const held = this.#freshIn(key);
      if (held !== undefined) found.set(key, held.value);
    }
    const missing = unique.filter((key) => !found.has(key));
    if (missing.length === 0) return found;
    if (this.#reads !== undefined) {
      return inOrder(unique, found, await abortable(readThrough(missing, this.#reads), options.signal));
    }
    this.#counts.misses += missing.length;
    return found;
  }

  /**
   * The value of `key`: from memory, from the store, or from `loader`, which runs once however many ask. A `loader` that was given with another call for the same key may be
   * the one that runs.
   *
   * Rejects with what the loader throws, with `LoadTimeoutError`, `signal.reason` or `ClosedError`.
   */
  getOrLoad(key: K, loader: Loader<K, V>, options: LoadOptions<K, V> = NO_OPTIONS): Promise<V> {
    // No async function: a hit needs no more than a promise of its value.
    if (this.#closing === undefined && typeof loader === 'function' && areEvident(options)) {
      const held = this.#memory.find(key);
      if (held !== undefined && (held.isPlain || this.#memory.isQuiet(held))) {
        this.#counts.memoryHits++;
        held.answer ??= Promise.resolve(held.value as V);
        return held.answer;
      }
    }
    return this.#getOrLoad(key, loader, options);
  }

  /**
   * The values of `keys`, in their order. `loader` is called with exactly the keys that neither a tier nor a load under way has: once, and again for keys which a load of others, here or
   * in another process, turns out to have no value for. Keys that it returns no value for are left out of the result, and not remembered. Values that are stale are refreshed by a call of
   * its own, in the background.
   *
   * Rejects like {@link TieredCache.getOrLoad} when all of the keys fail for one reason; with `LoadManyError`, which has the values, when some fail.
   */
  async getOrLoadMany(
    keys: readonly K[],
    loader: ManyLoader<K, V>,
    options: LoadOptions<K, V> = NO_OPTIONS,
  ): Promise<Map<K, V>> {
    this.#checkCall(keys);
    checkLoadOptions(options);
    checkFunction('loader', loader);
    const request = this.#request(loader, options);
    const unique = [...new Set(keys)];
    const call = new ManyLoads<K, V>(
      { loads: this.#loads, inFlight: this.#inFlight, counts: this.#counts },
      { request, signal: options.signal },
    );
    const due = new Map<K, Outgoing<V>>();
    const missing: K[] = [];
    for (const key of unique) {
      const held = this.#hit(key);
      if (held === undefined) missing.push(key);
      else if (held.failed) call.errors.set(key, held.error);
      else call.values.set(key, held.value as V);
      if (held !== undefined && this.#memory.isDue(held)) due.set(key, held as Outgoing<V>);
    }
    this.#loads.refresh(due, request);
    await call.run(missing);
    return inOrder(unique, call.values);
  }

  /**
   * Loads the value of `key` anew, whatever there is, and keeps it in both tiers. Others get the old value meanwhile. When it fails, what there was stays.
   *
   * Rejects like {@link TieredCache.getOrLoad}.
   */
  async refresh(key: K, loader: Loader<K, V>, options: LoadOptions<K, V> = NO_OPTIONS): Promise<V> {
    this.#checkCall([key]);
    checkLoadOptions(options);
    checkFunction('loader', loader);
    const held = this.#memory.find(key);
    const outgoing = held === undefined || held.failed ? undefined : (held as Outgoing<V>);
    const flight = this.#loads.renew(key, outgoing, this.#request(loadAlone(loader), options));
    return ((await flight.join(options.signal)) as { readonly value: V }).value;
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
    const ttl = jittered(options.ttl ?? this.#options.ttl, this.#options.ttlJitter);
    const tags = options.tags === undefined ? NO_TAGS : checkTags(options.tags);
    await abortable(this.#changes.set(key, value, { ttl, tags }), options.signal);
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
    if (keys.length > 0) await abortable(this.#changes.deleteMany(keys), options.signal);
  }

  /** Removes every value that has one of the tags, in the namespace, like {@link TieredCache.deleteMany} of their keys; it costs the same however many there are. */
  async invalidateTags(tags: readonly string[], options: WaitOptions = NO_OPTIONS): Promise<void> {
    this.#checkOpen();
    checkWaitOptions(options);
    const unique = checkTags(tags);
    if (unique.length > 0) await abortable(this.#changes.invalidateTags(unique), options.signal);
  }

  /** Removes everything in the namespace, like {@link TieredCache.deleteMany} of every key. */
  async clear(options: WaitOptions = NO_OPTIONS): Promise<void> {
    this.#checkOpen();
    checkWaitOptions(options);
    await abortable(this.#changes.clear(), options.signal);
  }

  /** A fresh snapshot; allowed after `close()`. */
  stats(): TieredCacheStats {
    const { size, weight } = this.#memory.cache;
    const store = this.#store?.stats;
    return {
      ...this.#counts,
      size,
      weight,
      inFlight: this.#inFlight.size,
      storeFailures: store?.failures ?? 0,
      storeOpenings: store?.openings ?? 0,
      storeBreaker: store?.breakerState ?? 'closed',
      unsynced: store?.unsynced ?? 0,
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
    await this.#changes.drain();
    this.#store?.close();
    this.#bus?.close();
    this.#unobserve();
    if (!(this.#options.memory instanceof MemoryCache)) await this.#memory.cache.close();
  }

  async #getOrLoad(key: K, loader: Loader<K, V>, options: LoadOptions<K, V>): Promise<V> {
    this.#checkCall([key]);
    checkLoadOptions(options);
    checkFunction('loader', loader);
    let request: LoadRequest<K, V> | undefined;
    for (;;) {
      const held = this.#hit(key);
      if (held?.failed === true) throw held.error;
      if (held !== undefined && !this.#memory.isDue(held)) return held.value as V;
      request ??= this.#request(loadAlone(loader), options);
      if (held !== undefined) {
        this.#loads.refresh(new Map([[key, held as Outgoing<V>]]), request);
        // Before its end it is as good as any.
        if (this.#memory.isFresh(held)) return held.value as V;
        return this.#freshOr(key, held.value as V, options.signal);
      }
      const landing = await this.#join(key, request).join(options.signal);
      if (landing.found) {
        return landing.isStale ? this.#freshOr(key, landing.value, options.signal) : landing.value;
      }
      // It was being loaded with others, and that loader has no value for it: now it is loaded alone.
    }
  }

  /** What the refresh under way brings within `softTimeout`, else the stale value. */
  async #freshOr(key: K, stale: V, signal: AbortSignal | undefined): Promise<V> {
    const { softTimeout } = this.#options;
    const flight = softTimeout === undefined ? undefined : this.#inFlight.flightOf(key);
    if (flight === undefined || softTimeout === undefined) return stale;
    try {
      const landing = await deadline((until) => flight.join(until), { timeout: softTimeout, signal });
      return landing.found ? landing.value : stale;
    } catch {
      signal?.throwIfAborted();
      return stale;
    }
  }

  /** What memory answers a load with: a value, stale ones included, or a failure. */
  #hit(key: K): Held<V> | undefined {
    const held = this.#memory.find(key);
    if (held === undefined) return undefined;
    if (held.failed) this.#counts.negativeHits++;
    else if (this.#memory.isFresh(held)) this.#counts.memoryHits++;
    else this.#counts.staleHits++;
    return held;
  }

  /** What this process answers a question with: what memory holds, or a value that has been loaded and is still on its way there. */
  #freshIn(key: K): { readonly value: V } | undefined {
    const held = this.#memory.find(key);
    const isFresh = held !== undefined && !held.failed && this.#memory.isFresh(held);
    const landing = isFresh ? undefined : this.#inFlight.flightOf(key)?.result;
    if (!isFresh && !(landing?.found === true && !landing.isStale)) return undefined;
    this.#counts.memoryHits++;
    return { value: landing?.found === true ? landing.value : (held?.value as V) };
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

  #request(load: LoadRequest<K, V>['load'], options: LoadOptions<K, V>): LoadRequest<K, V> {
    const { ttl = this.#options.ttl, tags = NO_TAGS } = options;
    const known: OfValue<K, V, readonly string[]> =
      typeof tags === 'function' || tags === NO_TAGS ? tags : checkTags(tags);
    return { load, ttl, tags: known };
  }

  #link(options: ConstructorParameters<typeof BusLink>[0]): BusLink {
    return new BusLink(options, {
      changed: (change) => this.#changes.forget(change),
      connected: (connected) => {
        this.#memory.setConnected(connected);
        this.#changes.forget({});
      },
    });
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw this.#closedError();
  }

  #checkCall(keys: readonly K[]): void {
    this.#checkOpen();
    // A `Set` would be seen to have nothing to delete.
    if (!Array.isArray(keys)) throw new TypeError(`\`keys\` must be an array, got ${typeof keys}`);
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
