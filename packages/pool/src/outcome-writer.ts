import { getHeapStatistics } from 'node:v8';
import type { MessagePort, Transferable } from 'node:worker_threads';
import { type CanCross, encodeThrown } from './encode-thrown.ts';
import type { Failure, Outcome, Reply, ThreadLink } from './frame.ts';
import { STATE, type TaskCells } from './task-cells.ts';
import { Transferred } from './transferred.ts';
import { withoutUncloneable } from './without-uncloneable.ts';

/**
 * Leaves what came of each task where the pool finds it whatever happens to this thread next: in its cell, or, if it is more than a number,
 * as a message of its own. Only the last task of a frame, or a long one, wakes the pool.
 */
export class OutcomeWriter {
  readonly #bell: MessagePort;
  readonly #outcomes: MessagePort;
  readonly #cells: TaskCells;
  readonly #canCross: CanCross;
  readonly #tellHeap: boolean;
  #rung: number | undefined;

  constructor(
    { bell, outcomes }: ThreadLink,
    cells: TaskCells,
    how: { readonly canCross: CanCross; readonly tellHeap: boolean },
  ) {
    this.#bell = bell;
    this.#outcomes = outcomes;
    this.#cells = cells;
    this.#canCross = how.canCross;
    this.#tellHeap = how.tellHeap;
  }

  /** A task returned `value`. @param ring whether its message may ring: it is the last of its frame */
  write(sequence: number, value: unknown, ring: boolean): void {
    const now = performance.now();
    if (typeof value === 'number') this.#cells.endWithNumber(sequence, value, now);
    else if (value === undefined) this.#cells.end(sequence, STATE.undefined, now);
    else if (value === null) this.#cells.end(sequence, STATE.null, now);
    else if (typeof value === 'boolean') this.#cells.end(sequence, value ? STATE.true : STATE.false, now);
    else if (value instanceof Transferred) this.#postResult(sequence, value as Transferred<unknown>, ring);
    else this.#postResult(sequence, { value, transferList: [] }, ring);
  }

  fail(sequence: number, failure: Failure, ring: boolean): void {
    this.#post(sequence, { outcome: [undefined, failure], transferList: [] }, ring);
  }

  #postResult(sequence: number, { value, transferList }: Transferred<unknown>, ring: boolean): void {
    try {
      this.#post(sequence, { outcome: [value], transferList }, ring);
    } catch (error) {
      const partial = isReply(value) ? withoutUncloneable(value, error, this.#canCross) : undefined;
      if (partial !== undefined) this.#post(sequence, { outcome: [partial], transferList: [] }, ring);
      else this.fail(sequence, { index: 0, what: 'result', thrown: encodeThrown(error, this.#canCross) }, ring);
    }
  }

  /** @throws what the structured clone algorithm says; nothing was posted then */
  #post(
    sequence: number,
    { outcome, transferList }: { readonly outcome: Outcome; readonly transferList: readonly Transferable[] },
    ring: boolean,
  ): void {
    if (!ring) {
      this.#outcomes.postMessage(outcome, transferList);
      this.#cells.end(sequence, STATE.posted, performance.now());
      return;
    }
    // Before it rings: the pool looks at the cell when it is rung, and not again.
    this.#noteHeap();
    this.#cells.end(sequence, STATE.rung, performance.now());
    this.#bell.postMessage(outcome, transferList);
    this.#rung = sequence;
  }

  /** Has the pool take note of what is done. */
  ring(): void {
    this.#noteHeap();
    this.#bell.postMessage(null);
  }

  #noteHeap(): void {
    if (this.#tellHeap) this.#cells.heap = getHeapStatistics().used_heap_size;
  }

  /** Whether the message of this task rang. */
  rang(sequence: number): boolean {
    return this.#rung === (sequence | 0);
  }
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && 'results' in value && 'elapsed' in value;
}
