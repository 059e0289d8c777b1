export { type DurableBatcher, durableBatcher } from './durable-batcher.ts';
export type { DurableAddOptions, DurableCloseOptions, DurableWaitOptions } from './durable-call-options.ts';
export type { DurableConnection } from './durable-connection.ts';
export {
  DurableClosedError,
  DurableConnectionError,
  DurableCrashedError,
  DurableFailedError,
  DurableLockLostError,
  DurablePartitionsError,
  DurableSerializationError,
  DurableTooLargeError,
} from './durable-errors.ts';
export type { DeadLetter } from './durable-letter.ts';
export type { DurableBatcherOptions, DurableQueueOptions } from './durable-options.ts';
export type { DurableProgress } from './durable-progress.ts';
export type { DurablePartitionStats, DurableStats } from './durable-stats.ts';
export { type DurableWorker, type DurableWorkerCloseOptions, durableWorker } from './durable-worker.ts';
export type { DurableBatchContext, DurableRetryOptions, DurableWorkerOptions } from './durable-worker-options.ts';
