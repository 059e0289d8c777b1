export {
  type AdaptiveCallOptions,
  AdaptiveLimiter,
  type AdaptiveLimiterOptions,
  type AdaptiveLimiterStats,
} from './adaptive-limiter.ts';
export { carriedValue } from './carried.ts';
export {
  type CrashCause,
  LimitExceededError,
  PoolQueueFullError,
  TaskCloneError,
  type TaskCloneFacts,
  TaskLoadError,
  TaskTimeoutError,
  type WorkerExit,
  WorkerExitError,
  WorkerStartError,
} from './errors.ts';
export { Limiter } from './limiter.ts';
export { LimiterLease } from './limiter-lease.ts';
export type { LimiterCallOptions, LimiterOptions, LimiterStats } from './limiter-options.ts';
export { type MapConcurrentOptions, mapConcurrent } from './map-concurrent.ts';
export { type RangeResult, type RangeTask, type SharedCopy, type SharedView, toShared } from './map-range.ts';
export type { ItemContext } from './map-window.ts';
export { type Machine, type WorkKind, recommendedConcurrency } from './recommended-concurrency.ts';
export type { TaskContext } from './task-context.ts';
export type { TaskCounts } from './task-log.ts';
export {
  type MapOptions,
  type MapRangeOptions,
  type PoolCloseOptions,
  type PoolStats,
  type RunOptions,
  WorkerPool,
  type WorkerStats,
} from './worker-pool.ts';
export type { WorkerPoolOptions, WorkerResourceLimits } from './worker-pool-options.ts';
