import type { Group } from './group.ts';
import { Lane } from './lane.ts';
import type { Operation } from './operation.ts';

/**
 * Keeps the program order of each ordering key: decides when an operation may stand in its group. An operation without a key
 * may at once; one with a key when everything before it has settled, or waits for the same batch.
 *
 * A key whose only unsettled operation has met no other, as most, is just that operation; the second one makes it a lane.
 */
export class KeyOrder<Op, R> {
  readonly #keys = new Map<unknown, Operation<Op, R> | Lane<Op, R>>();

  /** How many keys have operations that wait or are part of a batch. */
  get size(): number {
    return this.#keys.size;
  }

  find(key: unknown): Operation<Op, R> | Lane<Op, R> | undefined {
    return this.#keys.get(key);
  }

  /** The operation added last of a key, if it waits and has never been sent. */
  lastWaiting(key: unknown): Operation<Op, R> | undefined {
    const there = this.#keys.get(key);
    const last = there instanceof Lane ? there.waiting.tail : there;
    return last?.batch === undefined ? last : undefined;
  }

  enqueue(operation: Operation<Op, R>): void {
    const { key, group } = operation;
    if (key === undefined) {
      group.push(operation);
      return;
    }
    const there = this.#keys.get(key);
    if (there !== undefined) {
      this.#queueUp(operation, there instanceof Lane ? there : this.#widen(there));
      return;
    }
    this.#keys.set(key, operation);
    group.push(operation);
  }

  #queueUp(operation: Operation<Op, R>, lane: Lane<Op, R>): void {
    operation.lane = lane;
    lane.push(operation);
    if (lane.held > 0) return;
    const { queuedIn, shelf } = lane;
    if (queuedIn === undefined) {
      operation.group.attach(lane);
    } else if (shelf !== undefined && operation.priority > shelf.priority) {
      queuedIn.detach(lane);
      queuedIn.attach(lane);
    } else {
      queuedIn.countOn(lane);
    }
  }

  #widen(first: Operation<Op, R>): Lane<Op, R> {
    const lane = new Lane<Op, R>(first.key);
    first.lane = lane;
    if (first.dedupeKey !== undefined && !first.settled) lane.reads = new Map([[first.dedupeKey, first]]);
    this.#keys.set(first.key, lane);
    if (first.batch === undefined) first.group.widen(first, lane);
    else lane.held = 1;
    return lane;
  }

  /** Takes out an operation that waits, and says which groups may have become ready or idle by it. */
  withdraw(operation: Operation<Op, R>): readonly Group<Op, R>[] {
    const { lane, group, key } = operation;
    if (lane === undefined) {
      group.remove(operation);
      if (key !== undefined) this.#keys.delete(key);
      return [group];
    }
    const before = lane.queuedIn;
    before?.countOff(lane, operation);
    lane.remove(operation);
    if (before === undefined) {
      this.#dropIfEmpty(lane);
      return [];
    }
    const first = lane.waiting.head?.group;
    if (first === before) {
      before.countOn(lane);
      return [before];
    }
    // The next operation belongs to another group, or none is left.
    before.detach(lane);
    first?.attach(lane);
    this.#dropIfEmpty(lane);
    return first === undefined ? [before] : [before, first];
  }

  /** One operation of a batch is done with, for good; says which group got what waited behind it. */
  release({ lane, key }: Operation<Op, R>): Group<Op, R> | undefined {
    if (lane === undefined) {
      if (key !== undefined) this.#keys.delete(key);
      return undefined;
    }
    if (--lane.held > 0) return undefined;
    const next = lane.waiting.head?.group;
    next?.attach(lane);
    this.#dropIfEmpty(lane);
    return next;
  }

  #dropIfEmpty(lane: Lane<Op, R>): void {
    if (lane.empty) this.#keys.delete(lane.key);
  }

  /** Every operation that waits in a lane. */
  *waiting(): Generator<Operation<Op, R>> {
    for (const there of this.#keys.values()) if (there instanceof Lane) yield* there.waiting;
  }
}
