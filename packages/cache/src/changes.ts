import type { BusLink } from './bus-link.ts';
import { type CacheKey, fromStoreKey, toStoreKey } from './cache-key.ts';
import type { TagHistory } from './tag-history.ts';
import type { Change } from './unsynced-changes.ts';
import type { TierParts } from './tier-parts.ts';

export interface ChangesOptions<K, V> extends TierParts<K, V> {
  readonly history: TagHistory;
  readonly staleFor: number;
}

/**
 * Carries changes out: at once in this process (in memory, and for what is being loaded), then in the store, then for other processes. They are told whether or not the
 * store took it: what they hold is outdated in any case.
 *
 * A deletion is on its way to the store before the memory's listeners hear of it, so that what they ask for waits for it.
 */
export class Changes<K extends CacheKey, V> {
  /** How others are told; there once it is connected. */
  bus: BusLink | undefined;
  readonly #options: ChangesOptions<K, V>;
  readonly #running = new Set<Promise<void>>();

  constructor(options: ChangesOptions<K, V>) {
    this.#options = options;
  }

  /** @throws CodecError when the store cannot take the value, and what `weigh` throws: nothing is changed by the one, the key is gone in memory with the other */
  set(key: K, value: V, { ttl, tags }: { readonly ttl: number; readonly tags: readonly string[] }): Promise<void> {
    const { memory, store, inFlight, history, clock, staleFor } = this.#options;
    const write = store?.encode({ key, value, ttl, cost: 0, tags });
    const freshUntil = clock.now() + ttl;
    const life = { freshUntil, until: freshUntil + staleFor };
    try {
      memory.keep(key, { value, life, cost: 0, tags, position: history.position });
    } finally {
      // Last: a listener of the memory may have begun to read what the store has before this.
      inFlight.invalidate(key);
    }
    return this.#spread({ keys: [toStoreKey(key)] }, async () => write && store?.set(write));
  }

  deleteMany(keys: readonly K[]): Promise<void> {
    const names = keys.map(toStoreKey);
    const spread = this.#spread({ keys: names }, async () => this.#options.store?.deleteMany(keys));
    this.forget({ keys: names });
    return spread;
  }

  invalidateTags(tags: readonly string[]): Promise<void> {
    this.forget({ tags });
    return this.#spread({ tags }, async () => {
      try {
        await this.#options.store?.invalidateTags(tags);
      } finally {
        // Once more: what was read from the store in the meantime may be from before.
        this.forget({ tags });
      }
    });
  }

  clear(): Promise<void> {
    const spread = this.#spread({}, async () => this.#options.store?.clear());
    this.forget({});
    return spread;
  }

  /** What this process holds or loads of what was changed, here or elsewhere, is outdated. */
  forget({ keys, tags }: Change): void {
    const { memory, inFlight, history } = this.#options;
    if (keys === undefined && tags === undefined) {
      inFlight.invalidateAll();
      memory.clear();
    }
    for (const name of keys ?? []) {
      const key = fromStoreKey(name) as K;
      inFlight.invalidate(key);
      memory.delete(key);
    }
    if (tags !== undefined) history.invalidate(tags);
  }

  /** Tells other processes of a change that the store took late: they may have read since what it ends. */
  tell(change: Change): void {
    this.#spread(change, async () => {}).catch(() => {
      // Counted, and told again.
    });
  }

  /** Waits until no change is under way. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #spread(change: Change, store: () => Promise<void>): Promise<void> {
    const run = async (): Promise<void> => {
      try {
        await store();
      } catch (error) {
        // Graver than a failure to publish, which is counted and mended by itself.
        await this.#publish(change).catch(() => {});
        throw error;
      }
      await this.#publish(change);
    };
    const running = run().finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #publish(change: Change): Promise<void> {
    try {
      await this.bus?.publish(change);
    } catch (error) {
      this.#options.counts.busFailures++;
      throw error;
    }
  }
}
