export { BatchDeadlineError } from './batch-deadline-error.ts';
export { Batcher } from './batcher.ts';
export type { AddOptions, BatcherCloseOptions, CloseReport, ReadyOptions } from './batcher-calls.ts';
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
export { BatchItemError, type BatchItemFacts } from './batch-item-error.ts';
export {
  type BatchItemFailuresAnswer,
  type BatchItemFailuresOptions,
  batchItemFailures,
} from './batch-item-failures.ts';
export { type BulkAnswer, type BulkItem, type BulkItemsOptions, bulkItems } from './bulk-items.ts';
export { type ByKeyOptions, type ResultsByKey, byKey } from './by-key.ts';
export { type HeadersLike, retryAfterOf } from './retry-after.ts';
export type { RetryBudgetOptions } from './retry-budget.ts';
export type { DataLoaderStats } from './loader-counts.ts';
export type { RetryOptions } from './retry-policy.ts';
export type { AdaptiveOptions } from './sizing.ts';
export {
  type FailedEntry,
  type SuccessfulFailedAnswer,
  type SuccessfulFailedOptions,
  successfulFailed,
} from './successful-failed.ts';
export { type UnprocessedItemsAnswer, type UnprocessedItemsOptions, unprocessedItems } from './unprocessed-items.ts';
