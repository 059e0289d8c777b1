export { ConnectionPool } from './connection-pool.ts';
export {
  AcquireTimeoutError,
  type AcquireTimeoutFacts,
  CallbackTimeoutError,
  ConnectionLostError,
  LeaseEndedError,
} from './errors.ts';
export type { Lease } from './lease.ts';
export type {
  AcquireOptions,
  CloseOptions,
  ConnectionPoolOptions,
  CreateContext,
  LeakReport,
  PoolOperation,
  ValidateContext,
  WarmUpOptions,
} from './options.ts';
export type { ConnectionPoolStats } from './stats.ts';
