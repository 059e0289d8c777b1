import { ClosedError, PerfError, TimeoutError } from '@perf/core';

/** Which call of `execute` failed. */
export interface BatchFacts {
  /** The group of the batch. */
  readonly group: string;
  /** How many operations the batch held. */
  readonly size: number;
  /** Which try of these operations it was, from 1. */
  readonly attempt: number;
}

/**
 * `execute` threw or rejected for the batch as a whole: each of its operations may or may not have taken effect, unless the store is said to
 * be `atomic`. `cause` is what it threw.
 */
export class BatchFailedError extends PerfError {
  readonly group: string;
  readonly size: number;
  readonly attempt: number;
  /** Whether the operation may have taken effect nevertheless. */
  readonly outcomeUnknown: boolean;

  constructor(facts: BatchFacts, cause: unknown, outcomeUnknown = true) {
    const how = outcomeUnknown ? 'failed, with an unknown outcome' : 'failed without any effect';
    super('PERF_BATCH_FAILED', `${describe(facts)} ${how}: ${reasonOf(cause)}`, { cause });
    this.group = facts.group;
    this.size = facts.size;
    this.attempt = facts.attempt;
    this.outcomeUnknown = outcomeUnknown;
  }

  override get name(): string {
    return 'BatchFailedError';
  }
}

/** `execute` did not answer within `timeout`: each operation of the batch may or may not take effect. */
export class BatchTimeoutError extends TimeoutError {
  readonly group: string;
  readonly size: number;
  readonly attempt: number;
  /** Whether the operation may have taken effect nevertheless. */
  readonly outcomeUnknown: boolean = true;

  constructor(facts: BatchFacts, timeout: number) {
    super(`${describe(facts)} did not finish within ${timeout} ms`, { code: 'PERF_BATCH_TIMEOUT', timeout });
    this.group = facts.group;
    this.size = facts.size;
    this.attempt = facts.attempt;
  }

  override get name(): string {
    return 'BatchTimeoutError';
  }
}

/** `execute` answered with something that is not one result per operation: a bug in it, never retried. */
export class BatchResultError extends PerfError {
  readonly group: string;
  readonly size: number;
  readonly attempt: number;
  /** Whether the operation may have taken effect nevertheless. */
  readonly outcomeUnknown: boolean = true;

  constructor(facts: BatchFacts, problem: string, options?: ErrorOptions) {
    super('PERF_BATCH_RESULT', `${describe(facts)}: execute ${problem}`, options);
    this.group = facts.group;
    this.size = facts.size;
    this.attempt = facts.attempt;
  }

  override get name(): string {
    return 'BatchResultError';
  }
}

/** An operation came after `close()`, or was left over when the time of `close({ timeout })` was up. */
export class BatcherClosedError extends ClosedError {
  /** Whether the operation had been sent, and may take effect nevertheless. */
  readonly outcomeUnknown: boolean;

  constructor(component: string, outcomeUnknown: boolean) {
    super(component, 'PERF_BATCH_CLOSED');
    this.outcomeUnknown = outcomeUnknown;
  }

  override get name(): string {
    return 'BatcherClosedError';
  }
}

function describe({ group, size, attempt }: BatchFacts): string {
  return `a batch of ${size} in group ${JSON.stringify(group)} (attempt ${attempt})`;
}

/** Never throws: a cause may be anything, an object without a prototype included, and so may its message. */
function reasonOf(cause: unknown): string {
  try {
    return String(cause instanceof Error ? cause.message : cause);
  } catch {
    return typeof cause;
  }
}
