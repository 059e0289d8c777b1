import { ClosedError, PerfError } from '@perf/core';

/** An operation failed for good, in whichever process executed it: it is a dead letter now. `cause` is a copy of its last error. */
export class DurableFailedError extends PerfError {
  /** Its idempotency key, to replay or discard it by. */
  readonly key: string;
  /** How often it was tried, since a worker last took it up. */
  readonly attempts: number;

  constructor(key: string, attempts: number, cause: Error) {
    const tries = attempts === 1 ? 'attempt' : 'attempts';
    super('PERF_BATCH_DURABLE_FAILED', `operation ${quote(key)} failed after ${attempts} ${tries}: ${cause.message}`, {
      cause,
    });
    this.key = key;
    this.attempts = attempts;
  }

  override get name(): string {
    return 'DurableFailedError';
  }
}

/** Workers died, or lost their turn, again and again while they executed the operation: it is a dead letter, lest it kills the next one. */
export class DurableCrashedError extends PerfError {
  readonly key: string;
  readonly crashes: number;

  constructor(key: string, crashes: number) {
    super(
      'PERF_BATCH_DURABLE_CRASHED',
      `operation ${quote(key)} was under way ${crashes} times when its worker died or lost its turn`,
    );
    this.key = key;
    this.crashes = crashes;
  }

  override get name(): string {
    return 'DurableCrashedError';
  }
}

/**
 * An operation or a result does not survive JSON. An operation was not added. A result (`part: 'result'`) was lost, but its operation has been executed:
 * it is no dead letter.
 */
export class DurableSerializationError extends PerfError {
  readonly key: string;
  readonly part: 'operation' | 'result';

  constructor(
    facts: { readonly key: string; readonly part: 'operation' | 'result' },
    problem: string,
    cause?: unknown,
  ) {
    const { key, part } = facts;
    const message = `the ${part} of ${quote(key)} cannot be kept as JSON: ${problem}`;
    super('PERF_BATCH_DURABLE_SERIALIZATION', message, cause === undefined ? {} : { cause });
    this.key = key;
    this.part = part;
  }

  override get name(): string {
    return 'DurableSerializationError';
  }
}

/** An operation is larger than `maxBytes`; it was not added. */
export class DurableTooLargeError extends PerfError {
  readonly key: string;
  /** Its size as JSON, in bytes. */
  readonly size: number;
  readonly limit: number;

  constructor(key: string, size: number, limit: number) {
    super('PERF_BATCH_DURABLE_TOO_LARGE', `operation ${quote(key)} takes ${size} bytes as JSON, limit ${limit}`);
    this.key = key;
    this.size = size;
    this.limit = limit;
  }

  override get name(): string {
    return 'DurableTooLargeError';
  }
}

/** The connection given cannot be used. */
export class DurableConnectionError extends PerfError {
  constructor(problem: string) {
    super('PERF_BATCH_DURABLE_CONNECTION', problem);
  }

  override get name(): string {
    return 'DurableConnectionError';
  }
}

/** The queue exists with another number of partitions: operations of one key would go to two of them, and lose their order. */
export class DurablePartitionsError extends PerfError {
  /** What the queue has. */
  readonly expected: number;
  /** What was asked for. */
  readonly actual: number;

  constructor(name: string, expected: number, actual: number) {
    super(
      'PERF_BATCH_DURABLE_PARTITIONS',
      `durable queue ${quote(name)} has ${expected} partitions, and \`partitions\` is ${actual}: all that take part must agree`,
    );
    this.expected = expected;
    this.actual = actual;
  }

  override get name(): string {
    return 'DurablePartitionsError';
  }
}

/** Another worker has taken over the partition, or may any moment: what this one still does may take effect after what that one does. */
export class DurableLockLostError extends PerfError {
  readonly partition: number;

  constructor(partition: number) {
    super('PERF_BATCH_DURABLE_LOCK_LOST', `the turn in partition ${partition} was lost`);
    this.partition = partition;
  }

  override get name(): string {
    return 'DurableLockLostError';
  }
}

/** `close()` came before the operation, or before its result. */
export class DurableClosedError extends ClosedError {
  /** The idempotency key; `undefined` for what came after `close()`. */
  readonly key: string | undefined;
  /** Whether the operation is in Redis for certain, and its result to be had by `result(key)` of another durable batcher. */
  readonly durable: boolean;

  constructor(component: string, facts: { readonly key?: string; readonly durable: boolean }) {
    super(component, 'PERF_BATCH_DURABLE_CLOSED');
    this.key = facts.key;
    this.durable = facts.durable;
  }

  override get name(): string {
    return 'DurableClosedError';
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}...` : text);
}
