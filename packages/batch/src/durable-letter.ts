import type { JobOperation } from './durable-job.ts';
import { type StoredError, revive } from './durable-record.ts';

/** An operation that failed for good, and waits to be replayed or discarded. */
export interface DeadLetter<Op> {
  /** Its idempotency key. */
  readonly key: string;
  readonly op: Op;
  readonly orderingKey: string | undefined;
  /** A copy of its last error: an `Error` with the name, message, code and stack of the original. */
  readonly error: Error;
  /** How often it was tried since a worker last took it up. */
  readonly attempts: number;
  /** When it failed. */
  readonly failedAt: Date;
  readonly partition: number;
}

/** A {@link DeadLetter} as it is kept in Redis. */
export interface StoredLetter {
  readonly at: number;
  readonly p: number;
  readonly n: number;
  readonly e: StoredError;
  readonly op: JobOperation;
}

export function readLetter<Op>(json: string): DeadLetter<Op> {
  const { at, p, n, e, op } = JSON.parse(json) as StoredLetter;
  return {
    key: op.i,
    op: op.v as Op,
    orderingKey: op.k,
    error: revive(e),
    attempts: n,
    failedAt: new Date(at),
    partition: p,
  };
}
