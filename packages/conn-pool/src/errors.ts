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
  /** @default unknown */
  readonly blocked?: number | undefined;
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
  /** How many `use()` that hold a connection were waiting for one more themselves; known only with `detectDeadlocks`. */
  readonly blocked: number | undefined;

  constructor(pool: string, facts: AcquireTimeoutFacts) {
    const { timeout, waited, inUse, waiting, max, blocked = 0 } = facts;
    const nested = blocked === 0 ? '' : `, ${blocked} holding one and waiting for another`;
    const why = 'cause' in facts ? '; connecting fails, see cause' : '';
    super(
      `no connection of "${pool}" became free within ${timeout} ms: ${inUse} of ${max} in use, ${waiting} more waiting${nested}${why}`,
      { ...facts, code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' },
    );
    this.waited = waited;
    this.inUse = inUse;
    this.waiting = waiting;
    this.max = max;
    this.blocked = facts.blocked;
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

/** `create` failed, and `onCreateError` says that this caller hears of it; `cause` is what it failed with. */
export class CreateFailedError extends PerfError {
  constructor(pool: string, cause: unknown) {
    super('PERF_CONN_POOL_CREATE_FAILED', `no connection of "${pool}" could be created, see cause`, { cause });
  }

  override get name(): string {
    return 'CreateFailedError';
  }
}

/** `create` answered with `undefined` or `null`, as code that forgot to return its connection does. Counts as a failed create. */
export class NoConnectionError extends PerfError {
  constructor(answer: undefined | null) {
    super('PERF_CONN_POOL_NO_CONNECTION', `\`create\` must give a connection, got ${answer}`);
  }

  override get name(): string {
    return 'NoConnectionError';
  }
}

/** `create` answered with an object that is in the pool already: lent twice, it would have two owners. Counts as a failed create. */
export class DuplicateConnectionError extends PerfError {
  constructor() {
    super(
      'PERF_CONN_POOL_DUPLICATE_CONNECTION',
      '`create` must give a new connection each time, got one that is in the pool already',
    );
  }

  override get name(): string {
    return 'DuplicateConnectionError';
  }
}

/** The reason of `ctx.signal` when `evictAll()` was called while the connection was being created, or `resize()` left no room for it. */
export class ConnectionEvictedError extends PerfError {
  constructor() {
    super('PERF_CONN_POOL_EVICTED', 'the connection was evicted while it was being created');
  }

  override get name(): string {
    return 'ConnectionEvictedError';
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
