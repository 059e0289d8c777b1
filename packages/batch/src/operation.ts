import type { Link as SpanLink } from '@opentelemetry/api';
import type { AbortGroups } from '@perf/core';
import type { Batch } from './batch.ts';
import type { FlushMark } from './flush-marks.ts';
import type { Group } from './group.ts';
import type { Lane } from './lane.ts';
import type { Link } from './linked-queue.ts';

/** Where an operation belongs, and in which order it came. */
export interface Placement<Op, R> {
  readonly group: Group<Op, R>;
  /** The lane of its ordering key; `undefined` when it has none. */
  readonly lane: Lane<Op, R> | undefined;
  readonly bytes: number;
  /** Its key among the reads that can be shared; `undefined` for an operation that is no read. */
  readonly dedupeKey: unknown;
  readonly sequence: number;
  readonly mark: FlushMark;
  /** The span that was active where it was added. */
  readonly caller: SpanLink | undefined;
}

/**
 * One added operation, from `add` until it settles. It waits in its group's queue or in its lane, or it is part of a batch; it
 * settles exactly once, whatever its batch does afterwards.
 */
export class Operation<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly op: Op;
  readonly place: Placement<Op, R>;
  readonly promise: Promise<R>;
  /** The batch it is part of, running or to be sent again. */
  batch: Batch<Op, R> | undefined = undefined;
  settled = false;
  /** Whether an earlier attempt ended with an unknown outcome. */
  uncertain = false;
  /** Whether a caller waits that cannot abort; then nothing withdraws the operation. */
  pinned = false;
  /** How many callers wait that can abort. */
  abortable = 0;
  #resolve!: (value: R) => void;
  #reject!: (error: unknown) => void;

  constructor(op: Op, place: Placement<Op, R>) {
    this.op = op;
    this.place = place;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The view of a caller that cannot abort. */
  wait(): Promise<R> {
    this.pinned = true;
    return this.promise;
  }

  /** The view of a caller that can: `watch` tells of its abort, `withdraw` is called with the reason when the last caller has aborted. */
  waitFor(signal: AbortSignal, watch: AbortGroups<() => void>, withdraw: (reason: unknown) => void): Promise<R> {
    this.abortable++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.reason);
        if (--this.abortable === 0 && !this.pinned) withdraw(signal.reason);
      };
      // A callback of the batcher may have aborted it since it was looked at.
      if (signal.aborted) onAbort();
      else watch.add(signal, onAbort);
      this.promise.then(
        (value) => {
          watch.delete(signal, onAbort);
          resolve(value);
        },
        (error: unknown) => {
          watch.delete(signal, onAbort);
          reject(error);
        },
      );
    });
  }

  succeed(value: R): void {
    this.settled = true;
    this.#resolve(value);
  }

  fail(error: unknown): void {
    this.settled = true;
    this.#reject(error);
  }
}
