export { type AddOptions, Batcher, type BatcherCloseOptions, type CloseReport } from './batcher.ts';
export type { BatchContext, BatchResults, BatcherOptions } from './batcher-options.ts';
export type { BatcherStats } from './batcher-stats.ts';
export { DataLoader } from './data-loader.ts';
export type { BatchLoadContext, BatchLoadFn, CacheMap, DataLoaderOptions, LoadOptions } from './data-loader-options.ts';
export {
  BatchFailedError,
  type BatchFacts,
  BatchResultError,
  BatchTimeoutError,
  BatcherClosedError,
} from './errors.ts';
export type { DataLoaderStats } from './loader-counts.ts';
export type { RetryOptions } from './retry-policy.ts';
