import type { KeyOrder } from './key-order.ts';
import type { Lane } from './lane.ts';
import type { Operation } from './operation.ts';

/** What is known of an operation before it is accepted. */
export interface Traits {
  readonly group: string;
  readonly orderingKey: unknown;
  readonly dedupeKey: unknown;
  readonly bytes: number;
}

/**
 * Finds the read under way that an equal read can share. Within an ordering key those before the last operation that is no read are
 * out: they may see what was before it. Without an ordering key the same holds for all operations without one, and, as nothing orders those,
 * once more when such an operation settles.
 */
export class SharedReads<Op, R> {
  readonly #keys: KeyOrder<Op, R>;
  readonly #unordered = new Map<unknown, Operation<Op, R>>();

  constructor(keys: KeyOrder<Op, R>) {
    this.#keys = keys;
  }

  find({ group, orderingKey, dedupeKey }: Traits): Operation<Op, R> | undefined {
    if (dedupeKey === undefined) return undefined;
    const reads = orderingKey === undefined ? this.#unordered : this.#keys.find(orderingKey)?.reads;
    const read = reads?.get(dedupeKey);
    return read?.place.group.name === group ? read : undefined;
  }

  added(operation: Operation<Op, R>): void {
    const { dedupeKey, lane } = operation.place;
    if (dedupeKey === undefined) this.#forget(lane);
    else if (lane === undefined) this.#unordered.set(dedupeKey, operation);
    else (lane.reads ??= new Map()).set(dedupeKey, operation);
  }

  settled(operation: Operation<Op, R>): void {
    const { dedupeKey, lane } = operation.place;
    if (dedupeKey === undefined) {
      if (lane === undefined) this.#forget(lane);
      return;
    }
    const reads = lane === undefined ? this.#unordered : lane.reads;
    if (reads?.get(dedupeKey) === operation) reads.delete(dedupeKey);
  }

  #forget(lane: Lane<Op, R> | undefined): void {
    if (lane !== undefined) lane.reads = undefined;
    else if (this.#unordered.size > 0) this.#unordered.clear();
  }
}
