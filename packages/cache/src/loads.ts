import { type Clock, deadline } from '@perf/core';
import type { CacheKey } from './cache-key.ts';
import { LoadTimeoutError } from './errors.ts';
import type { Fence } from './fences.ts';
import { Flight } from './flight.ts';
import type { InFlight } from './in-flight.ts';
import type { Landing, LoadGroup, LoadMember, LoadRequest } from './load-group.ts';
import type { Life, MemoryTier } from './memory-tier.ts';
import type { LoadedWrite, StoreAnswer, StoreTier } from './store-tier.ts';
import { tracer } from './telemetry.ts';
import type { TieredCounts } from './tiered-stats.ts';

/** What loads work with. */
export interface LoadsOptions<K, V> {
  readonly memory: MemoryTier<K, V>;
  readonly store: StoreTier<V> | undefined;
  readonly inFlight: InFlight<K, V>;
  readonly counts: TieredCounts;
  readonly clock: Clock;
  /** Milliseconds after `ttl` in which a value is stale and still there; 0 for none. */
  readonly staleFor: number;
  readonly negativeTtl: number | undefined;
  readonly loadTimeout: number;
  readonly name: string | undefined;
}

/** Milliseconds between attempts to refresh a stale value, when no `negativeTtl` says otherwise. */
const RETRY_AFTER = 1_000;

/**
 * Loads values and writes them to the tiers unless their key has changed meanwhile.
 *
 * A load has three steps: ask the store, call the loader, write to the store and then to memory. Its callers have their value after the second; until the third is
 * done, newcomers join it and get the same. Memory comes last, so that it never holds what the store refused as outdated.
 */
export class Loads<K extends CacheKey, V> {
  readonly #options: LoadsOptions<K, V>;
  readonly #running = new Set<Promise<void>>();
  #draining = false;

  constructor(options: LoadsOptions<K, V>) {
    this.#options = options;
  }

  /** Starts one load for keys that none is under way for. @returns their flights, in order */
  start(keys: readonly K[], request: LoadRequest<K, V>): readonly Flight<Landing<V>>[] {
    return this.#start(keys, { request, isRefresh: false, previous: new Map() });
  }

  /** Loads stale values anew in the background, where no load is under way already. */
  refresh(stale: ReadonlyMap<K, V>, request: LoadRequest<K, V>): void {
    if (stale.size === 0 || this.#draining) return;
    const previous = new Map([...stale].filter(([key]) => this.#options.inFlight.flightOf(key) === undefined));
    if (previous.size > 0) this.#start([...previous.keys()], { request, isRefresh: true, previous });
  }

  /** Starts no more refreshes, and waits until no load is under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(
    keys: readonly K[],
    plan: Pick<LoadGroup<K, V>, 'request' | 'isRefresh' | 'previous'>,
  ): readonly Flight<Landing<V>>[] {
    const { inFlight } = this.#options;
    const group: LoadGroup<K, V> = { ...plan, members: [], controller: new AbortController(), wanted: keys.length };
    for (const key of keys) {
      const flight = new Flight<Landing<V>>((reason) => {
        inFlight.abandon(member);
        group.wanted--;
        if (group.wanted === 0) group.controller.abort(reason);
      });
      const member: LoadMember<K, V> = { key, flight, fence: inFlight.openFence(key), version: undefined };
      if (plan.isRefresh) flight.hold();
      inFlight.enter(key, flight);
      group.members.push(member);
    }
    const running = this.#run(group).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return group.members.map(({ flight }) => flight);
  }

  /** Never rejects: what goes wrong is the flights' to tell. */
  async #run(group: LoadGroup<K, V>): Promise<void> {
    const { store, inFlight } = this.#options;
    const stale = new Map<K, V>();
    try {
      const missing = store === undefined ? group.members : await this.#askStore(group, store, stale);
      if (missing.length > 0 && group.wanted > 0) await this.#load(group, missing);
    } catch (error) {
      for (const { flight } of group.members) flight.fail(error);
    } finally {
      for (const member of group.members) {
        inFlight.leave(member);
        inFlight.closeFence(member.key, member.fence);
      }
    }
    this.refresh(stale, group.request);
  }

  /** Lands what the store has. @returns the members it has nothing usable for */
  async #askStore(group: LoadGroup<K, V>, store: StoreTier<V>, stale: Map<K, V>): Promise<LoadMember<K, V>[]> {
    const { members, isRefresh, previous } = group;
    const answers = await store.read(members.map(({ key }) => key));
    return members.filter((member, index) => {
      const { hit, version } = answers[index] as StoreAnswer<V>;
      member.version = version;
      if (hit === undefined) return true;
      const isFresh = this.#isFresh(hit.life);
      if (!isFresh && isRefresh) {
        previous.set(member.key, hit.value);
        return true;
      }
      if (isFresh) this.#options.counts.storeHits++;
      else if (!member.fence.broken) stale.set(member.key, hit.value);
      this.#keep(member, hit.value, hit.life);
      member.flight.land({ found: true, value: hit.value });
      return false;
    });
  }

  async #load(group: LoadGroup<K, V>, missing: readonly LoadMember<K, V>[]): Promise<void> {
    const { counts } = this.#options;
    counts.loads++;
    if (!group.isRefresh) counts.misses += missing.length;
    let values: ReadonlyMap<K, V>;
    try {
      const keys = missing.map(({ key }) => key);
      values = checkValues(await this.#callLoader(group, keys));
    } catch (error) {
      // What is given up on purpose is no failure of the loader.
      if (group.wanted > 0) counts.loadFailures++;
      for (const member of missing) this.#fail(group, member, error);
      return;
    }
    const loaded = missing.filter((member) => this.#land(member, values));
    await this.#write(loaded, values, group.request.ttl);
  }

  #callLoader(group: LoadGroup<K, V>, keys: readonly K[]): Promise<ReadonlyMap<K, V>> {
    const { loadTimeout, name } = this.#options;
    const attributes = { 'perf.cache.keys': keys.length, ...(name !== undefined && { 'perf.cache.name': name }) };
    return tracer.span('perf.cache.load', { attributes }, () =>
      deadline((signal) => group.request.load(keys, { signal, previous: group.previous }), {
        timeout: loadTimeout,
        signal: group.controller.signal,
        onTimeout: (timeout) => new LoadTimeoutError(timeout, keys),
      }),
    );
  }

  /** Gives the callers their value. @returns whether there is one */
  #land(member: LoadMember<K, V>, values: ReadonlyMap<K, V>): boolean {
    const { key, flight } = member;
    if (!values.has(key)) {
      // Left first, so that those who now load the key alone do not find this flight again.
      this.#options.inFlight.leave(member);
      flight.land({ found: false });
      return false;
    }
    flight.land({ found: true, value: values.get(key) as V });
    return true;
  }

  async #write(loaded: readonly LoadMember<K, V>[], values: ReadonlyMap<K, V>, ttl: number): Promise<void> {
    const { store, staleFor, clock, counts } = this.#options;
    const loadedAt = clock.now();
    const life = { freshUntil: loadedAt + ttl, until: loadedAt + ttl + staleFor };
    const writes: LoadedWrite<V>[] = [];
    const refused = new Set<K>();
    for (const { key, fence, version } of loaded) {
      if (fence.broken) counts.fenced++;
      else if (version !== undefined) writes.push({ key, value: values.get(key) as V, version });
    }
    if (store !== undefined && writes.length > 0) {
      const outcomes = await store.writeLoaded(writes, { ttl, staleFor });
      for (const [index, { key }] of writes.entries()) if (outcomes[index] === 'fenced') refused.add(key as K);
      counts.fenced += refused.size;
    }
    for (const member of loaded) if (!refused.has(member.key)) this.#keep(member, values.get(member.key) as V, life);
  }

  #fail(group: LoadGroup<K, V>, { key, flight, fence }: LoadMember<K, V>, error: unknown): void {
    const { memory, negativeTtl } = this.#options;
    if (!fence.broken) {
      if (group.isRefresh) memory.postponeRefresh(key, negativeTtl ?? RETRY_AFTER);
      if (negativeTtl !== undefined) memory.keepFailure(key, error, negativeTtl);
    }
    flight.fail(error);
  }

  #keep({ key, fence }: { readonly key: K; readonly fence: Fence }, value: V, life: Life): void {
    if (fence.broken) return;
    try {
      this.#options.memory.keep(key, value, life);
    } catch {
      // `weigh` threw: the value is not kept in memory, and the load goes on.
      this.#options.counts.memoryFailures++;
    }
  }

  #isFresh(life: Life): boolean {
    return this.#options.clock.now() < life.freshUntil;
  }

  /** Reads keys from the store into memory. @returns the fresh values */
  async readThrough(keys: readonly K[], store: StoreTier<V>): Promise<Map<K, V>> {
    const { inFlight, counts } = this.#options;
    const reads = keys.map((key) => ({ key, fence: inFlight.openFence(key) }));
    const found = new Map<K, V>();
    try {
      const answers = await store.read(keys);
      for (const [index, read] of reads.entries()) {
        const hit = answers[index]?.hit;
        if (hit === undefined) continue;
        this.#keep(read, hit.value, hit.life);
        if (!this.#isFresh(hit.life)) continue;
        counts.storeHits++;
        found.set(read.key, hit.value);
      }
    } finally {
      for (const { key, fence } of reads) inFlight.closeFence(key, fence);
    }
    return found;
  }
}

function checkValues<K, V>(values: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  if (typeof values?.has === 'function' && typeof values.get === 'function') return values;
  throw new TypeError(`\`loader\` must return a Map of the values, got ${values === null ? 'null' : typeof values}`);
}
