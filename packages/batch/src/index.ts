export { BatchDeadlineError } from './batch-deadline-error.ts';
export { Batcher } from './batcher.ts';
export type { AddOptions, BatcherCloseOptions, CloseReport, ReadyOptions } from './batcher-calls.ts';
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
