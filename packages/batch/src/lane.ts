import type { Group } from './group.ts';
import { keep } from './keep.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';
import type { Shelf } from './shelf.ts';

/**
 * The operations of one ordering key, in program order, once there are two of them.
 *
 * Invariant: while `held` is above 0 nothing of the lane may be sent; else, if anything waits, the lane stands in the group of its
 * first operation. A batch takes from it a run of operations of its own group, in order.
 */
export class Lane<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly key: unknown;
  readonly waiting: LinkedQueue<Operation<Op, R>> = new LinkedQueue();
  /** How many of its operations are part of a batch, running or to be sent again. */
  held = 0;
  /** The group the lane stands in, and where. */
  queuedIn: Group<Op, R> | undefined = undefined;
  shelf: Shelf<Op, R> | undefined = undefined;
  /** The last operation that group has counted: of the first run, as far as one batch can take it. */
  lastCounted: Operation<Op, R> | undefined = undefined;
  counted = 0;
  countedBytes = 0;
  /** The reads a later equal read can share: those after the last operation that is no read. */
  reads: Map<unknown, Operation<Op, R>> | undefined = undefined;
  /** The last of those that wait with the highest priority; `undefined` when it has to be looked for. */
  #foremost: Operation<Op, R> | undefined = undefined;

  constructor(key: unknown) {
    this.key = key;
  }

  static {
    for (const anything of [undefined, 0, 'a']) keep(new Lane(anything));
  }

  get empty(): boolean {
    return this.held === 0 && this.waiting.size === 0;
  }

  push(operation: Operation<Op, R>): void {
    const before = this.waiting.size === 0 ? -Infinity : this.priority;
    this.waiting.push(operation);
    if (operation.priority >= before) this.#foremost = operation;
  }

  remove(operation: Operation<Op, R>): void {
    this.waiting.remove(operation);
    if (operation === this.#foremost) this.#foremost = undefined;
  }

  /** Its first operation becomes part of a batch. */
  hold(operation: Operation<Op, R>): void {
    this.remove(operation);
    this.held++;
  }

  /** The highest priority of what waits: what comes before an urgent operation of its key is as urgent. */
  get priority(): number {
    if (this.#foremost === undefined) {
      for (const operation of this.waiting) {
        if (operation.priority >= (this.#foremost?.priority ?? -Infinity)) this.#foremost = operation;
      }
    }
    return this.#foremost?.priority ?? 0;
  }
}
