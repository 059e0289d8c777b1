export { ConnectionPool } from './connection-pool.ts';
export { PoolDeadlockError } from './deadlock-error.ts';
export {
  AcquireTimeoutError,
  type AcquireTimeoutFacts,
  CallbackTimeoutError,
  ConnectionEvictedError,
  ConnectionLostError,
  CreateFailedError,
  DuplicateConnectionError,
  LeaseEndedError,
  NoConnectionError,
} from './errors.ts';
export type { Lease } from './lease.ts';
export type {
  AcquireOptions,
  CloseOptions,
  ConnectionPoolOptions,
  CreateContext,
  LeakReport,
  PoolOperation,
  ResizeOptions,
  ValidateContext,
  WarmUpOptions,
} from './options.ts';
export { type PoolSizeAdvice, type PoolSizeOptions, recommendedPoolSize } from './recommended-pool-size.ts';
export type { ConnectionPoolStats } from './stats.ts';
