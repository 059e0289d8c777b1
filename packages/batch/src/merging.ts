import { checkName, checkRange, isPromiseLike } from '@perf/core';
import type { BatcherOptions, BatcherSettings } from './batcher-options.ts';
import type { Admission } from './admission.ts';
import type { Dispatcher } from './dispatcher.ts';
import { ANY_SIZE } from './any-size.ts';
import { isSameKey } from './is-same-key.ts';
import type { Operation } from './operation.ts';

type Merge<Op> = NonNullable<BatcherOptions<Op, unknown>['merge']>;

/** What is known of an operation that is being added. */
export interface Newcomer<Op> {
  readonly op: Op;
  readonly group: string;
  readonly key: unknown;
  readonly dedupeKey: unknown;
  readonly priority: number;
}

/** One operation that stands for a newcomer and for one that waits. */
export interface Merger<Op, R> {
  readonly into: Operation<Op, R>;
  /** What that one was when the program was asked. */
  readonly earlier: Op;
  readonly op: Op;
  readonly bytes: number;
}

/**
 * Finds what an operation can be merged into: the one added last of its ordering key, if it waits, was never sent, and is of the same group and priority. Nothing of the key lies between
 * them then, so that one in the place of the earlier does the same as both in turn. Reads are shared, not merged.
 */
export class Merging<Op, R> {
  readonly #merge: Merge<Op>;
  readonly #settings: BatcherSettings<Op, R>;
  readonly #admission: Admission<Op, R>;
  readonly #dispatcher: Dispatcher<Op, R>;

  constructor(
    merge: Merge<Op>,
    settings: BatcherSettings<Op, R>,
    { admission, dispatcher }: { readonly admission: Admission<Op, R>; readonly dispatcher: Dispatcher<Op, R> },
  ) {
    this.#merge = merge;
    this.#settings = settings;
    this.#admission = admission;
    this.#dispatcher = dispatcher;
  }

  /** Asks the program; whatever it throws is for the newcomer's caller. What would be too large for a batch stays apart. */
  propose(newcomer: Newcomer<Op>): Merger<Op, R> | undefined {
    // One of those that wait for room may have the same key.
    if (newcomer.key === undefined || this.#admission.parked.size > 0) return undefined;
    const into = this.#dispatcher.keys.lastWaiting(newcomer.key);
    if (into === undefined || into.group.name !== newcomer.group || into.priority !== newcomer.priority)
      return undefined;
    if (into.dedupeKey !== undefined || newcomer.dedupeKey !== undefined) return undefined;
    const earlier = into.op;
    const op = this.#merge(earlier, newcomer.op);
    if (op === undefined) return undefined;
    const bytes = this.#checkedSize(op, newcomer);
    return bytes > this.#settings.maxBytes ? undefined : { into, earlier, op, bytes };
  }

  /** Lets the one that waits stand for both, unless the program has added, aborted or merged others while it was asked, or there is no room. */
  apply({ into, earlier, op, bytes }: Merger<Op, R>): boolean {
    if (this.#admission.parked.size > 0) return false;
    if (this.#dispatcher.keys.lastWaiting(into.key) !== into || !Object.is(into.op, earlier)) return false;
    if (!this.#admission.resize(into.bytes, bytes)) return false;
    into.op = op;
    into.merged = true;
    this.#dispatcher.resize(into, bytes);
    return true;
  }

  /** Its size in bytes. Throws unless the merged operation belongs where the two did. */
  #checkedSize(op: Op, { group, key }: Newcomer<Op>): number {
    if (isPromiseLike(op)) throw new TypeError('`merge` must return an operation or `undefined`, got a promise');
    const { groupBy, orderingKey, dedupeKey, sizeOf } = this.#settings;
    const groupNow = groupBy === undefined ? group : checkName('groupBy(op)', groupBy(op));
    if (groupNow !== group) {
      throw new TypeError(
        `\`merge\` must keep the group ${JSON.stringify(group)}, got one of ${JSON.stringify(groupNow)}`,
      );
    }
    if (!isSameKey(orderingKey?.(op), key)) throw new TypeError('`merge` must keep the ordering key');
    if (dedupeKey?.(op) !== undefined)
      throw new TypeError('`merge` must not make a read: its `dedupeKey` must be `undefined`');
    return sizeOf === undefined ? 0 : checkRange('sizeOf(op)', sizeOf(op), ANY_SIZE);
  }
}

/** What merges for a batcher; `undefined` when nothing is to be merged. */
export function mergingFor<Op, R>(
  settings: BatcherSettings<Op, R>,
  admission: Admission<Op, R>,
  dispatcher: Dispatcher<Op, R>,
): Merging<Op, R> | undefined {
  return settings.merge && new Merging(settings.merge, settings, { admission, dispatcher });
}
