import type { RemovalReason } from './memory-options.ts';

/** What {@link MemoryCache.stats} reports; the counts are of the cache's whole life. */
export interface MemoryCacheStats {
  /** Entries now, those included that have expired and are not swept yet. */
  readonly size: number;
  readonly weight: number;
  readonly maxSize: number;
  readonly maxWeight: number;
  /** `get` calls that found an entry. */
  readonly hits: number;
  /** `get` calls that did not. */
  readonly misses: number;
  /** `set` calls. */
  readonly sets: number;
  /** How many values left, by reason. */
  readonly removals: Readonly<Record<RemovalReason, number>>;
  /** How often `onRemove` threw. */
  readonly listenerErrors: number;
}
