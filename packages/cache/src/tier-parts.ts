import type { Clock } from '@perf/core';
import type { InFlight } from './in-flight.ts';
import type { MemoryTier } from './memory-tier.ts';
import type { StoreTier } from './store-tier.ts';
import type { TieredCounts } from './tiered-stats.ts';

/** What the parts of one cache share. */
export interface TierParts<K, V> {
  readonly memory: MemoryTier<K, V>;
  readonly store: StoreTier<V> | undefined;
  readonly inFlight: InFlight<K, V>;
  readonly counts: TieredCounts;
  readonly clock: Clock;
}
