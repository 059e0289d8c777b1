import type { Group } from './group.ts';
import { Lane } from './lane.ts';
import type { Operation } from './operation.ts';

/**
 * Keeps the program order of each ordering key: decides when an operation may stand in its group's queue. An operation without a key
 * may at once; one with a key when everything before it has settled, or waits for the same batch.
 */
export class KeyOrder<Op, R> {
  readonly #lanes = new Map<unknown, Lane<Op, R>>();

  /** How many keys have unsettled operations. */
  get size(): number {
    return this.#lanes.size;
  }

  find(key: unknown): Lane<Op, R> | undefined {
    return this.#lanes.get(key);
  }

  laneOf(key: unknown): Lane<Op, R> {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane(key)));
    return lane;
  }

  enqueue(operation: Operation<Op, R>): void {
    const { lane, group } = operation.place;
    if (lane === undefined) {
      group.push(operation);
      return;
    }
    lane.waiting.push(operation);
    if (lane.held > 0) return;
    if (lane.queuedIn === undefined) group.attach(lane);
    else lane.queuedIn.countOn(lane);
  }

  /** Takes out an operation that waits, and says which groups may have become ready or idle by it. */
  withdraw(operation: Operation<Op, R>): readonly Group<Op, R>[] {
    const { lane, group } = operation.place;
    if (lane === undefined) {
      group.remove(operation);
      return [group];
    }
    const before = lane.queuedIn;
    before?.countOff(lane, operation);
    lane.waiting.remove(operation);
    if (before === undefined) {
      this.#dropIfEmpty(lane);
      return [];
    }
    const first = lane.waiting.head?.place.group;
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
  release(operation: Operation<Op, R>): Group<Op, R> | undefined {
    const { lane } = operation.place;
    if (lane === undefined || --lane.held > 0) return undefined;
    const next = lane.waiting.head?.place.group;
    next?.attach(lane);
    this.#dropIfEmpty(lane);
    return next;
  }

  #dropIfEmpty(lane: Lane<Op, R>): void {
    if (lane.empty) this.#lanes.delete(lane.key);
  }

  /** Every operation that waits in a lane. */
  *waiting(): Generator<Operation<Op, R>> {
    for (const lane of this.#lanes.values()) yield* lane.waiting;
  }
}
