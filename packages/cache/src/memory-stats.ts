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
  /** Values removed to make room, or too heavy to come in. */
  readonly evictions: number;
  /** Values removed because their time ran out. */
  readonly expirations: number;
  /** How often `onRemove` threw. */
  readonly listenerErrors: number;
}
