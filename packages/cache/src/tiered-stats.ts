import type { BreakerState } from './circuit-breaker.ts';

/** Counts kept by a {@link TieredCache}. */
export interface TieredCounts {
  memoryHits: number;
  staleHits: number;
  negativeHits: number;
  storeHits: number;
  coalesced: number;
  misses: number;
  loads: number;
  loadFailures: number;
  fenced: number;
  memoryFailures: number;
  busFailures: number;
}

export function newCounts(): TieredCounts {
  return {
    memoryHits: 0,
    staleHits: 0,
    negativeHits: 0,
    storeHits: 0,
    coalesced: 0,
    misses: 0,
    loads: 0,
    loadFailures: 0,
    fenced: 0,
    memoryFailures: 0,
    busFailures: 0,
  };
}

/** What {@link TieredCache.stats} reports; the counts are of the cache's whole life, in keys unless it says otherwise. */
export interface TieredCacheStats {
  /** Entries in memory, remembered failures included. */
  readonly size: number;
  /** What they weigh together. */
  readonly weight: number;
  /** Keys being loaded now. */
  readonly inFlight: number;
  /** Fresh values found in memory. */
  readonly memoryHits: number;
  /** Stale values found in memory. */
  readonly staleHits: number;
  /** Rejections with a remembered failure. */
  readonly negativeHits: number;
  /** Fresh values found in the store. */
  readonly storeHits: number;
  /** Callers that joined a load under way. */
  readonly coalesced: number;
  /** Keys that no tier had: not found, or loaded. */
  readonly misses: number;
  /** Calls of a loader. */
  readonly loads: number;
  /** Calls of a loader that failed or timed out. */
  readonly loadFailures: number;
  /** Loaded values that were not kept because their key had changed meanwhile. */
  readonly fenced: number;
  /** Values not kept in memory because `weigh` threw. */
  readonly memoryFailures: number;
  /** Calls of the store that failed or timed out, and entries of it that could not be read. */
  readonly storeFailures: number;
  /** How often the store was left alone because it had failed several times in a row. */
  readonly storeOpenings: number;
  /** `'closed'` while the store is asked, `'open'` while it is left alone, `'half-open'` while one call finds out. */
  readonly storeBreaker: BreakerState;
  /** Keys and tags whose last change may not have reached the store (1 for everything); they are not read from it before that is mended. */
  readonly unsynced: number;
  /** Messages that could not be published. */
  readonly busFailures: number;
}
