import type { CacheKey } from './cache-key.ts';
import type { Fence } from './fences.ts';
import type { LoadMember } from './load-group.ts';
import type { Keep } from './memory-tier.ts';
import type { LoadedValue } from './store-tier.ts';
import type { TierParts } from './tier-parts.ts';

export interface KeeperOptions<K, V> extends TierParts<K, V> {
  /** Milliseconds after `ttl` in which a value is stale and still there; 0 for none. */
  readonly staleFor: number;
}

/** A loaded value, and how it is to be kept. */
export interface Arrival<K, V> {
  readonly member: LoadMember<K, V>;
  readonly value: V;
  readonly ttl: number;
  readonly tags: readonly string[];
}

/** Keeps what was read or loaded, unless its key or a tag of it has changed since. */
export class Keeper<K extends CacheKey, V> {
  readonly #options: KeeperOptions<K, V>;

  constructor(options: KeeperOptions<K, V>) {
    this.#options = options;
  }

  /** Keeps a value in memory. */
  keep({ key, fence }: { readonly key: K; readonly fence: Fence }, kept: Omit<Keep<V>, 'position'>): void {
    const { inFlight, memory, counts } = this.#options;
    const { value, life, cost, tags } = kept;
    if (!inFlight.mayKeep(fence, tags)) return;
    try {
      memory.keep(key, { value, life, cost, tags, position: fence.position });
      // `weigh` may have changed the key.
      if (!inFlight.mayKeep(fence, tags)) memory.delete(key);
    } catch {
      // `weigh` threw: the value is not kept in memory, and the load goes on.
      counts.memoryFailures++;
    }
  }

  /** Writes loaded values to the store, and keeps in memory what it has not refused as outdated. Takes the members out of flight. */
  async write(arrivals: readonly Arrival<K, V>[], cost: number): Promise<void> {
    const { store, staleFor, clock, counts, inFlight } = this.#options;
    const loadedAt = clock.now();
    const writes: { readonly arrival: Arrival<K, V>; readonly write: LoadedValue<V> }[] = [];
    const refused = new Set<Arrival<K, V>>();
    for (const arrival of arrivals) {
      const { member, value, ttl, tags } = arrival;
      const { key, fence, version, lease } = member;
      if (!inFlight.mayKeep(fence, tags)) counts.fenced++;
      else if (version !== undefined) writes.push({ arrival, write: { key, value, ttl, cost, tags, version, lease } });
    }
    if (store !== undefined && writes.length > 0) {
      const outcomes = await store.writeLoaded(writes.map(({ write }) => write));
      for (const [index, { arrival }] of writes.entries()) {
        if (outcomes[index] === 'fenced') refused.add(arrival);
        else if (outcomes[index] === 'written') arrival.member.lease = undefined;
      }
      counts.fenced += refused.size;
    }
    for (const arrival of arrivals) {
      const { member, value, ttl, tags } = arrival;
      const life = { freshUntil: loadedAt + ttl, until: loadedAt + ttl + staleFor };
      if (!refused.has(arrival)) this.keep(member, { value, life, cost, tags });
      inFlight.leave(member);
    }
  }
}
