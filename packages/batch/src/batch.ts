import { type Timer, startTimer } from '@perf/core';
import type { BatcherSettings } from './batcher-options.ts';
import type { Bisection } from './bisection.ts';
import { BatchFailedError, type BatchFacts, BatchTimeoutError } from './errors.ts';
import type { Group } from './group.ts';
import { keep } from './keep.ts';
import type { Link } from './linked-queue.ts';
import type { Operation } from './operation.ts';

/** Operations sent together: before, during and, if some are to be sent again, after a call of `execute`. */
export class Batch<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly group: Group<Op, R>;
  readonly attempt: number;
  /** In the order they were added. Fixed once the batch runs. */
  operations: readonly Operation<Op, R>[];
  /** From when it is sent until it has ended: its operations stay in it, aborted or not. */
  running = false;
  /** The wait before another attempt. */
  backoff: Timer | undefined = undefined;
  /** Whether what leaves it is looked for later: it waits for its turn in its bisection, or has just come back. */
  parked = false;
  /** Whether it stands in its group, to be sent again. */
  queued = false;
  /** The search for the operations that make it fail, of which it is a part. */
  bisection: Bisection<Batch<Op, R>> | undefined = undefined;
  /** How many of its operations somebody waits for. */
  unsettled: number;
  /** The most operations it could have held, where that is measured. */
  limit: number | undefined = undefined;
  startedAt = 0;
  readonly #controller: AbortController = new AbortController();
  #stop: (() => void) | undefined = undefined;

  constructor(group: Group<Op, R>, operations: readonly Operation<Op, R>[], attempt: number) {
    this.group = group;
    this.operations = operations;
    this.attempt = attempt;
    this.unsettled = operations.length;
    for (const operation of operations) operation.batch = this;
  }

  static {
    const kept = new Batch(undefined as never, [], 1);
    kept.limit = 1;
    kept.startedAt = 0.5;
    keep(kept);
  }

  get facts(): BatchFacts {
    return { group: this.group.name, size: this.operations.length, attempt: this.attempt };
  }

  /**
   * Calls `execute`. Rejects with a `BatchFailedError` when that throws, or a `BatchTimeoutError` when its time is up.
   * What it answers after that is dropped.
   */
  run({ execute, timeout, atomic }: BatcherSettings<Op, R>): Promise<unknown> {
    const ops: Op[] = [];
    this.unsettled = 0;
    for (const operation of this.operations) {
      ops.push(operation.op);
      if (!operation.settled) this.unsettled++;
    }
    Object.freeze(ops);
    const context = { group: this.group.name, signal: this.#controller.signal, attempt: this.attempt };
    return new Promise((resolve, reject) => {
      const timer = startTimer(() => {
        const error = new BatchTimeoutError(this.facts, timeout);
        // Before the abort: what `execute` throws on it must not win over the reason.
        reject(error);
        this.#controller.abort(error);
      }, timeout);
      this.#stop = () => {
        timer.cancel();
        resolve(undefined);
      };
      // An async function, so that a synchronous throw is a rejection like any other.
      const answer = async (): Promise<unknown> => execute(ops, context);
      answer().then(
        (results) => {
          timer.cancel();
          resolve(results);
        },
        (error: unknown) => {
          timer.cancel();
          reject(new BatchFailedError(this.facts, error, !atomic(error)));
        },
      );
    });
  }

  /**
   * It has ended, and holds nothing any more. V8 keeps the promise jobs of what took long in the old generation until a full collection, and
   * with them the batch: all its operations would be moved there too, and cost as much again.
   */
  empty(): void {
    this.operations = NOTHING;
  }

  /** Stops waiting for `execute`, all operations having settled. */
  giveUp(): void {
    this.#stop?.();
  }

  /** One of its operations was withdrawn while the batch runs; the last one aborts the batch's signal. */
  forsake(reason: unknown): void {
    if (--this.unsettled === 0) this.#controller.abort(reason);
  }
}

const NOTHING: readonly never[] = [];
