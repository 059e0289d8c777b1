import type { Group } from './group.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';

/**
 * The operations of one ordering key, in program order.
 *
 * Invariant: while `held` is above 0 nothing of the lane may be sent; else, if anything waits, the lane stands in the queue of the
 * group of its first operation. A batch takes from it a run of operations of its own group, in order.
 */
export class Lane<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly key: unknown;
  readonly waiting: LinkedQueue<Operation<Op, R>> = new LinkedQueue();
  /** How many of its operations are part of a batch, running or to be sent again. */
  held = 0;
  /** The group in whose queue the lane stands. */
  queuedIn: Group<Op, R> | undefined = undefined;
  /** The last operation that group has counted: of the first run, as far as one batch can take it. */
  lastCounted: Operation<Op, R> | undefined = undefined;
  counted = 0;
  countedBytes = 0;
  /** The reads a later equal read can share: those after the last operation that is no read. */
  reads: Map<unknown, Operation<Op, R>> | undefined = undefined;

  constructor(key: unknown) {
    this.key = key;
  }

  get empty(): boolean {
    return this.held === 0 && this.waiting.size === 0;
  }
}
