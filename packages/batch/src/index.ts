export { type AddOptions, Batcher, type BatcherCloseOptions, type CloseReport } from './batcher.ts';
export type { BatchContext, BatchResults, BatcherOptions } from './batcher-options.ts';
export type { BatcherStats } from './batcher-stats.ts';
export { DataLoader } from './data-loader.ts';
export type { BatchLoadFn, CacheMap, DataLoaderOptions } from './data-loader-options.ts';
export {
  BatchFailedError,
  type BatchFacts,
  BatchResultError,
  BatchTimeoutError,
  BatcherClosedError,
} from './errors.ts';
export type { RetryOptions } from './retry-policy.ts';
export { type HeadersLike, retryAfterOf } from './retry-after.ts';
export type { RetryBudgetOptions } from './retry-budget.ts';
