import { ClosedError, PerfError, TimeoutError } from '@perf/core';

/** What callers get after `close()`. */
export function closedError(pool: string): ClosedError {
  return new ClosedError(`ConnectionPool "${pool}"`, 'PERF_CONN_POOL_CLOSED');
}

/** The code of the `QueueFullError` when `maxWaiting` callers wait already. */
export const QUEUE_FULL_CODE = 'PERF_CONN_POOL_QUEUE_FULL';

/** What an {@link AcquireTimeoutError} reports. */
export interface AcquireTimeoutFacts extends ErrorOptions {
  readonly timeout: number;
  readonly waited: number;
  readonly inUse: number;
  readonly waiting: number;
  readonly max: number;
}

/** No connection became free in time. `cause` is the last error of `create` while the peer cannot be reached. */
export class AcquireTimeoutError extends TimeoutError {
  /** How long the caller waited, in milliseconds. */
  readonly waited: number;
  /** How many connections were lent. */
  readonly inUse: number;
  /** How many other callers were waiting. */
  readonly waiting: number;
  readonly max: number;

  constructor(pool: string, facts: AcquireTimeoutFacts) {
    const { timeout, waited, inUse, waiting, max } = facts;
    const why = facts.cause === undefined ? '' : '; connecting fails, see cause';
    super(
      `no connection of "${pool}" became free within ${timeout} ms: ${inUse} of ${max} in use, ${waiting} more waiting${why}`,
      { ...facts, code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' },
    );
    this.waited = waited;
    this.inUse = inUse;
    this.waiting = waiting;
    this.max = max;
  }

  override get name(): string {
    return 'AcquireTimeoutError';
  }
}

/** One of the pool's callbacks did not answer in time; given to `onError`, and as `cause` of an {@link AcquireTimeoutError}. */
export class CallbackTimeoutError extends TimeoutError {
  /** Which callback. */
  readonly operation: 'create' | 'validate' | 'reset' | 'destroy';

  constructor(operation: CallbackTimeoutError['operation'], timeout: number) {
    super(`\`${operation}\` did not finish within ${timeout} ms`, { timeout, code: 'PERF_CONN_POOL_CALLBACK_TIMEOUT' });
    this.operation = operation;
  }

  override get name(): string {
    return 'CallbackTimeoutError';
  }
}

/** The connection died (`ctx.lost()`) before `create` handed it over, or before anybody used it; `cause` is what it gave as reason. */
export class ConnectionLostError extends PerfError {
  constructor(options?: ErrorOptions) {
    super('PERF_CONN_POOL_CONNECTION_LOST', 'the connection was lost before its first use', options);
  }

  override get name(): string {
    return 'ConnectionLostError';
  }
}

/** A lease was used after its end: released or discarded twice, or its `connection` read afterwards. */
export class LeaseEndedError extends PerfError {
  constructor() {
    super(
      'PERF_CONN_POOL_LEASE_ENDED',
      'this lease has ended: it was released or discarded before, and its connection may serve another caller now',
    );
  }

  override get name(): string {
    return 'LeaseEndedError';
  }
}
