import { checkDuration, deadline, delay } from '@perf/core';
import type { CacheKey } from './cache-key.ts';
import { LoadTimeoutError } from './errors.ts';
import { Flight } from './flight.ts';
import type { Landing, LoadGroup, LoadMember, LoadRequest, Outgoing } from './load-group.ts';
import { leasesOf, takeTurns } from './load-turns.ts';
import { type Loaded, settleEach } from './loaded.ts';
import { checkTags } from './loader.ts';
import type { Arrival, Keeper } from './keeper.ts';
import type { Life } from './memory-tier.ts';
import type { StoreAnswer, StoreTier } from './store-tier.ts';
import { observeLoad } from './telemetry.ts';
import { jittered } from './ttl-jitter.ts';
import type { TierParts } from './tier-parts.ts';
import { NO_TAGS } from './no-tags.ts';

/** What loads work with. */
export interface LoadsOptions<K extends CacheKey, V> extends TierParts<K, V> {
  readonly keeper: Keeper<K, V>;
  readonly ttlJitter: number;
  readonly negativeTtl: number | undefined;
  readonly loadTimeout: number;
  readonly name: string | undefined;
}

/** Milliseconds between attempts to refresh a value, when no `negativeTtl` says otherwise. */
const RETRY_AFTER = 1_000;
/** Milliseconds between two looks for what another process is loading. */
const FIRST_PAUSE = 3;
const LONGEST_PAUSE = 100;
/** Milliseconds by which one value is known to be another one's successor: clocks of two tiers differ by less. */
const TOLERANCE = 1;

/**
 * Loads values and writes them to the tiers unless their key has changed meanwhile.
 *
 * A load has four steps: ask the store, get the store's lease of the key (or wait for the process that has it), call the loader, write to the store and then to memory. Its callers have their
 * value after the third; until the last is done, newcomers join it and get the same. Memory comes last, so that it never holds what the store refused as outdated.
 */
export class Loads<K extends CacheKey, V> {
  readonly #options: LoadsOptions<K, V>;
  readonly #keeper: Keeper<K, V>;
  readonly #running = new Set<Promise<void>>();
  #draining = false;

  constructor(options: LoadsOptions<K, V>) {
    this.#options = options;
    this.#keeper = options.keeper;
  }

  /** Starts one load for keys that none is under way for. @returns their flights, in order */
  start(keys: readonly K[], request: LoadRequest<K, V>): readonly Flight<Landing<V>>[] {
    return this.#start(keys, { request, purpose: 'answer', outgoing: new Map() });
  }

  /** Loads values anew in the background, where no load is under way already. */
  refresh(outgoing: ReadonlyMap<K, Outgoing<V>>, request: LoadRequest<K, V>): void {
    if (outgoing.size === 0 || this.#draining) return;
    const { inFlight } = this.#options;
    const due = new Map([...outgoing].filter(([key]) => inFlight.flightOf(key) === undefined));
    if (due.size > 0) this.#start([...due.keys()], { request, purpose: 'refresh', outgoing: due });
  }

  /** Loads a value whatever there is. A load that is under way is for those who wait for it already. */
  renew(key: K, outgoing: Outgoing<V> | undefined, request: LoadRequest<K, V>): Flight<Landing<V>> {
    this.#options.inFlight.invalidate(key);
    const known = new Map(outgoing && [[key, outgoing]]);
    return this.#start([key], { request, purpose: 'renew', outgoing: known })[0] as Flight<Landing<V>>;
  }

  /** Starts no more refreshes, and waits until no load is under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(
    keys: readonly K[],
    plan: Pick<LoadGroup<K, V>, 'request' | 'purpose' | 'outgoing'>,
  ): readonly Flight<Landing<V>>[] {
    const { inFlight } = this.#options;
    const group: LoadGroup<K, V> = { ...plan, members: [], controller: new AbortController(), wanted: new Set() };
    for (const key of keys) {
      const flight = new Flight<Landing<V>>((reason) => {
        inFlight.abandon(member);
        group.wanted.delete(member);
        if (group.wanted.size === 0) group.controller.abort(reason);
      });
      const unknown = { version: undefined, lease: undefined, leasedFor: 0, tags: undefined, freshUntil: Infinity };
      const member: LoadMember<K, V> = { key, flight, fence: inFlight.openFence(key), ...unknown };
      if (plan.purpose === 'refresh') flight.hold();
      inFlight.enter(member);
      group.members.push(member);
      group.wanted.add(member);
    }
    this.#track(this.#run(group));
    return group.members.map(({ flight }) => flight);
  }

  #track(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Never rejects: what goes wrong is the flights' to tell. */
  async #run(group: LoadGroup<K, V>): Promise<void> {
    const { store, inFlight } = this.#options;
    try {
      const missing = store === undefined ? group.members : await this.#askStore(group, group.members, store);
      if (missing.length > 0 && group.wanted.size > 0) await this.#loadInTurn(group, missing);
    } catch (error) {
      for (const { flight } of group.members) flight.fail(error);
    } finally {
      for (const member of group.members) {
        inFlight.leave(member);
        inFlight.closeFence(member.key, member.fence);
      }
    }
  }

  /** Lands what the store has. @returns the members it has nothing usable for */
  async #askStore(
    group: LoadGroup<K, V>,
    members: readonly LoadMember<K, V>[],
    store: StoreTier<V>,
  ): Promise<readonly LoadMember<K, V>[]> {
    const keys = members.map(({ key }) => key);
    const answers = await store.read(keys, tagsBefore(group.request) ?? NO_TAGS);
    const missing: LoadMember<K, V>[] = [];
    const stale = new Map<LoadMember<K, V>, Outgoing<V>>();
    for (const [index, member] of members.entries()) {
      const { hit, version, leasedFor } = answers[index] as StoreAnswer<V>;
      member.version = version;
      member.leasedFor = leasedFor;
      const outgoing = hit && { value: hit.value, freshUntil: hit.life.freshUntil };
      if (hit === undefined || !this.#isAnswer(group, member.key, hit.life)) {
        if (outgoing !== undefined) group.outgoing.set(member.key, outgoing);
        missing.push(member);
        continue;
      }
      this.#keeper.keep(member, hit);
      group.wanted.delete(member);
      if (this.#isFresh(hit.life)) {
        this.#options.counts.storeHits++;
        // Left first: it has nothing to do with how long others of the group are loaded, and newcomers find it in a tier.
        this.#options.inFlight.leave(member);
        member.flight.land({ found: true, value: hit.value, isStale: false });
      } else {
        stale.set(member, outgoing as Outgoing<V>);
      }
    }
    this.#landStale(stale, group.request);
    // Those who wanted others of the group, which may be being loaded, may have left before.
    if (group.wanted.size === 0 && group.members.length > 1) {
      group.controller.abort(new Error('nobody waits for the value any more'));
    }
    return missing;
  }

  /** A stale value is an answer, but not to those who mean to replace it. */
  #isAnswer({ purpose, outgoing }: LoadGroup<K, V>, key: K, life: Life): boolean {
    if (purpose === 'answer') return true;
    if (purpose === 'renew' || !this.#isFresh(life)) return false;
    return life.freshUntil > (outgoing.get(key)?.freshUntil ?? -Infinity) + TOLERANCE;
  }

  /** Refreshes what is stale first, so that those who get it find the refresh under way. */
  #landStale(stale: ReadonlyMap<LoadMember<K, V>, Outgoing<V>>, request: LoadRequest<K, V>): void {
    if (stale.size === 0) return;
    const { inFlight } = this.#options;
    for (const member of stale.keys()) inFlight.leave(member);
    const due = [...stale].filter(([{ fence }]) => !fence.broken).map(([{ key }, each]) => [key, each] as const);
    this.refresh(new Map(due), request);
    for (const [{ flight }, { value }] of stale) flight.land({ found: true, value, isStale: true });
  }

  /** Loads what no other process is loading, and waits for the rest. */
  async #loadInTurn(group: LoadGroup<K, V>, missing: readonly LoadMember<K, V>[]): Promise<void> {
    const leases = this.#options.store?.leases;
    if (leases === undefined || group.purpose === 'renew') return this.#load(group, missing);
    const { mine, elsewhere } = await takeTurns(missing, leases);
    await Promise.all([this.#load(group, mine), this.#awaitOthers(group, elsewhere)]);
  }

  /** Looks again and again for what other processes are loading, and loads what they have not within `loadTimeout`. */
  async #awaitOthers(group: LoadGroup<K, V>, members: readonly LoadMember<K, V>[]): Promise<void> {
    const { store, clock, loadTimeout } = this.#options;
    const leases = store?.leases;
    const { signal } = group.controller;
    const giveUpAt = clock.now() + loadTimeout;
    const loads: Promise<void>[] = [];
    let waiting = members;
    for (let pause = FIRST_PAUSE; waiting.length > 0 && !signal.aborted; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
      const ms = Math.max(0, Math.min(pause * (0.5 + Math.random()), giveUpAt - clock.now()));
      await pauseUnless(signal, { ms, unref: group.purpose === 'refresh' });
      if (signal.aborted || store === undefined || leases === undefined) break;
      const absent = await this.#askStore(group, waiting, store);
      const isOver = clock.now() >= giveUpAt;
      const { mine, elsewhere } = isOver ? { mine: absent, elsewhere: [] } : await takeTurns(absent, leases);
      loads.push(this.#load(group, mine));
      waiting = elsewhere;
    }
    await Promise.all(loads);
  }

  /** Never rejects. */
  async #load(group: LoadGroup<K, V>, members: readonly LoadMember<K, V>[]): Promise<void> {
    if (members.length === 0) return;
    const leases = this.#options.store?.leases;
    const held = leasesOf(members);
    const letGo = held.length > 0 ? leases?.hold(held) : undefined;
    for (const member of members) member.tags = tagsBefore(group.request);
    await this.#loadHolding(group, members);
    letGo?.();
    const left = leasesOf(members);
    if (left.length > 0 && leases !== undefined) this.#track(leases.release(left));
  }

  async #loadHolding(group: LoadGroup<K, V>, members: readonly LoadMember<K, V>[]): Promise<void> {
    const { counts, clock } = this.#options;
    counts.loads++;
    if (group.purpose === 'answer') counts.misses += members.length;
    const startedAt = clock.now();
    let loaded: Loaded<K, V>;
    try {
      const keys = members.map(({ key }) => key);
      loaded = await this.#callLoader(group, keys);
      if (loaded.errors.size > 0) counts.loadFailures++;
    } catch (error) {
      // What is given up on purpose is no failure of the loader.
      if (group.wanted.size > 0) counts.loadFailures++;
      for (const member of members) this.#fail(group, member, error);
      return;
    }
    const cost = clock.now() - startedAt;
    await this.#keeper.write(this.#land(group, members, loaded), cost);
  }

  #callLoader({ request, purpose, outgoing, controller }: LoadGroup<K, V>, keys: readonly K[]): Promise<Loaded<K, V>> {
    const { loadTimeout, name } = this.#options;
    const previous = new Map([...outgoing].map(([key, { value }]) => [key, value]));
    return observeLoad({ keys: keys.length, name }, () =>
      deadline(async (signal) => settleEach(keys, await request.load(keys, { signal, previous })), {
        timeout: loadTimeout,
        signal: controller.signal,
        unref: purpose === 'refresh',
        onTimeout: (timeout) => new LoadTimeoutError(timeout, keys),
      }),
    );
  }

  /** Gives the callers their values. @returns the values there are */
  #land(
    group: LoadGroup<K, V>,
    members: readonly LoadMember<K, V>[],
    { values, errors }: Loaded<K, V>,
  ): Arrival<K, V>[] {
    const arrivals: Arrival<K, V>[] = [];
    for (const member of members) {
      const { key, flight } = member;
      if (errors.has(key)) {
        this.#fail(group, member, errors.get(key));
      } else if (values.has(key)) {
        const arrival = this.#arrive(group, member, values.get(key) as V);
        if (arrival !== undefined) arrivals.push(arrival);
      } else {
        // Left first, so that those who now load the key alone do not find this flight again.
        this.#options.inFlight.leave(member);
        flight.land({ found: false });
      }
    }
    return arrivals;
  }

  #arrive(group: LoadGroup<K, V>, member: LoadMember<K, V>, value: V): Arrival<K, V> | undefined {
    const { key, flight } = member;
    const { ttl, tags } = group.request;
    try {
      const life = typeof ttl === 'function' ? checkDuration('ttl', ttl(value, key)) : ttl;
      member.tags = typeof tags === 'function' ? checkTags(tags(value, key)) : tags;
      const lasting = jittered(life, this.#options.ttlJitter);
      member.freshUntil = this.#options.clock.now() + lasting;
      flight.land({ found: true, value, isStale: false });
      return { member, value, ttl: lasting, tags: member.tags };
    } catch (error) {
      this.#fail(group, member, error);
      return undefined;
    }
  }

  #fail({ purpose }: LoadGroup<K, V>, member: LoadMember<K, V>, error: unknown): void {
    const { memory, negativeTtl, inFlight } = this.#options;
    const { key, flight, fence } = member;
    if (!fence.broken) {
      if (purpose !== 'answer') memory.postponeRefresh(key, negativeTtl ?? RETRY_AFTER);
      if (negativeTtl !== undefined) memory.keepFailure(key, error, negativeTtl);
    }
    // Left first: the next caller tries anew.
    inFlight.leave(member);
    flight.fail(error);
  }

  #isFresh(life: Life): boolean {
    return this.#options.clock.now() < life.freshUntil;
  }
}

/** The tags of values to come, where they do not depend on the values. */
function tagsBefore<K, V>({ tags }: LoadRequest<K, V>): readonly string[] | undefined {
  return typeof tags === 'function' ? undefined : tags;
}

/** Waits; an abort ends it without an error. */
async function pauseUnless(
  signal: AbortSignal,
  pause: { readonly ms: number; readonly unref: boolean },
): Promise<void> {
  try {
    await delay(pause.ms, { signal, unref: pause.unref });
  } catch {
    // Aborted.
  }
}
