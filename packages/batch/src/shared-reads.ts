import { isSameKey } from './is-same-key.ts';
import type { KeyOrder } from './key-order.ts';
import { Lane } from './lane.ts';
import type { Operation } from './operation.ts';

/** What two reads must have in common to share an execution. */
export interface ReadIdentity {
  readonly group: string;
  readonly key: unknown;
  readonly dedupeKey: unknown;
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

  find({ group, key, dedupeKey }: ReadIdentity): Operation<Op, R> | undefined {
    const read = key === undefined ? this.#unordered.get(dedupeKey) : this.#ofKey(key, dedupeKey);
    return read?.group.name === group ? read : undefined;
  }

  #ofKey(key: unknown, dedupeKey: unknown): Operation<Op, R> | undefined {
    const there = this.#keys.find(key);
    if (there instanceof Lane) return there.reads?.get(dedupeKey);
    // The only operation of its key, aborted perhaps while it is executed.
    return there !== undefined && !there.settled && isSameKey(there.dedupeKey, dedupeKey) ? there : undefined;
  }

  /** Called when the operation stands in its lane, if it has one. */
  added(operation: Operation<Op, R>): void {
    const { dedupeKey, lane, key } = operation;
    if (dedupeKey === undefined) this.#forget(operation);
    else if (lane !== undefined) (lane.reads ??= new Map()).set(dedupeKey, operation);
    else if (key === undefined) this.#unordered.set(dedupeKey, operation);
  }

  settled(operation: Operation<Op, R>): void {
    const { dedupeKey, lane, key } = operation;
    if (dedupeKey === undefined) {
      if (key === undefined) this.#forget(operation);
      return;
    }
    const reads = key === undefined ? this.#unordered : lane?.reads;
    if (reads?.get(dedupeKey) === operation) reads.delete(dedupeKey);
  }

  #forget({ lane, key }: Operation<Op, R>): void {
    if (lane !== undefined) lane.reads = undefined;
    else if (key === undefined && this.#unordered.size > 0) this.#unordered.clear();
  }
}
