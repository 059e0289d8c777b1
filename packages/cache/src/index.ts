export type { Bus, BusListener, BusMessage } from './bus.ts';
export type { CacheKey } from './cache-key.ts';
export { type CachedOptions, cached, memoOf } from './cached.ts';
export type { Calls, OfResult, ResultOptions } from './calls.ts';
export { BusError, LoadManyError, LoadTimeoutError, StoreError, StoreUnavailableError } from './errors.ts';
export type { LoadContext, OfValue } from './load-group.ts';
export type { EntryOptions, LoadOptions, Loader, ManyLoader, WaitOptions } from './loader.ts';
export { type Memoized, type MemoizeOptions, memoize } from './memoize.ts';
export { MemoryCache } from './memory-cache.ts';
export type { MemoryCacheOptions, MemorySetOptions, RemovalReason } from './memory-options.ts';
export type { MemoryCacheStats } from './memory-stats.ts';
export type { Held } from './memory-tier.ts';
export type {
  HeldLease,
  LeaseAnswer,
  LeaseRequest,
  Store,
  StoreEntry,
  StoreLeases,
  StoreReadHints,
  StoreWrite,
} from './store.ts';
export { TieredCache } from './tiered-cache.ts';
export type { TieredCacheOptions } from './tiered-options.ts';
export type { TieredCacheStats } from './tiered-stats.ts';
