import type { CacheKey } from './cache-key.ts';
import type { Keeper } from './keeper.ts';
import type { StoreTier } from './store-tier.ts';
import type { TierParts } from './tier-parts.ts';
import { NO_TAGS } from './no-tags.ts';

export interface ReadsOptions<K extends CacheKey, V> extends Omit<TierParts<K, V>, 'memory'> {
  readonly keeper: Keeper<K, V>;
  readonly store: StoreTier<V>;
}

/** Reads a key from the store into memory. @returns the fresh value. Does not reject */
export function readOneThrough<K extends CacheKey, V>(
  key: K,
  { keeper, store, inFlight, counts, clock }: ReadsOptions<K, V>,
): Promise<V | undefined> {
  const fence = inFlight.openFence(key);
  return store.readOne(key, (hit) => {
    if (hit !== undefined) keeper.keep({ key, fence }, hit);
    inFlight.closeFence(key, fence);
    if (hit === undefined || clock.now() >= hit.life.freshUntil) {
      counts.misses++;
      return undefined;
    }
    counts.storeHits++;
    return hit.value;
  });
}

/** {@link readOneThrough} for many keys, in one question. */
export async function readThrough<K extends CacheKey, V>(
  keys: readonly K[],
  { keeper, store, inFlight, counts, clock }: ReadsOptions<K, V>,
): Promise<Map<K, V>> {
  const reads = keys.map((key) => ({ key, fence: inFlight.openFence(key) }));
  const found = new Map<K, V>();
  try {
    const answers = await store.read(keys, NO_TAGS);
    for (const [index, read] of reads.entries()) {
      const hit = answers[index]?.hit;
      if (hit === undefined) continue;
      keeper.keep(read, hit);
      if (clock.now() >= hit.life.freshUntil) continue;
      counts.storeHits++;
      found.set(read.key, hit.value);
    }
  } finally {
    for (const { key, fence } of reads) inFlight.closeFence(key, fence);
  }
  counts.misses += keys.length - found.size;
  return found;
}
