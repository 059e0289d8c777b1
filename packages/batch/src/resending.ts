import { startTimer } from '@perf/core';
import { Batch } from './batch.ts';
import type { BatcherSettings } from './batcher-options.ts';
import { Bisection, halvesOf } from './bisection.ts';
import type { Operation } from './operation.ts';
import { planResend } from './plan-resend.ts';
import { type Failure, type Outcome, finalFailure, reasonOf } from './read-outcomes.ts';
import { fullJitter } from './retry-policy.ts';

/** Who sends the batches. */
export interface Resender<Op, R> {
  /** The operation has come out, for good. */
  settle(operation: Operation<Op, R>, outcome: Outcome<R>): void;
  /** The operation is no longer part of a batch. */
  release(operation: Operation<Op, R>): void;
  /** The batch may be sent. */
  ready(batch: Batch<Op, R>): void;
  /** `count` operations wait for another attempt. */
  retrying(count: number): void;
}

/**
 * What becomes of operations whose batch did not succeed as a whole: some are sent again after a wait; when the batch failed because of
 * some of them, which is unknown, halves are sent until those are found.
 *
 * Its batches hold neither slot nor room in a group, but their keys: what is sent again stays before later operations of its key.
 */
export class Resending<Op, R> {
  readonly #settings: BatcherSettings<Op, R>;
  readonly #resender: Resender<Op, R>;
  /** Those that wait: for their time, for their turn in a bisection, or for a slot. */
  readonly #waiting = new Set<Batch<Op, R>>();
  #abandoned = false;
  /** Parts of failed batches made to find the operations at fault. */
  parts = 0;
  /** Operations not sent again because the budget was used up. */
  denied = 0;

  constructor(settings: BatcherSettings<Op, R>, resender: Resender<Op, R>) {
    this.#settings = settings;
    this.#resender = resender;
  }

  /** What waits to be sent again. */
  get waiting(): ReadonlySet<Batch<Op, R>> {
    return this.#waiting;
  }

  /** A batch is about to be sent. */
  starting(batch: Batch<Op, R>): void {
    if (batch.attempt === 1) {
      this.#settings.retry.budget.deposit(batch.operations.length);
      return;
    }
    this.#waiting.delete(batch);
    this.#keepWanted(batch);
    const { bisection } = batch;
    if (bisection !== undefined)
      for (const { lane } of batch.operations) if (lane !== undefined) bisection.sent.add(lane);
  }

  /** All operations of a batch have succeeded, and are settled. */
  succeeded({ bisection }: Batch<Op, R>): void {
    if (bisection === undefined) return;
    bisection.answered();
    this.#advance(bisection);
  }

  /** A batch has come back otherwise: settles and releases what is not sent again. */
  takeBack(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): void {
    const { again, apart, asked } = this.#sort(batch, outcomes);
    if (again.length > 0 && this.#retry(this.#following(batch, again), asked)) return;
    if (apart.length > 0) {
      batch.bisection ??= new Bisection(batch.operations.length);
      this.#divide(apart, outcomes[0] as Failure, batch);
    }
    if (batch.bisection !== undefined) this.#advance(batch.bisection);
  }

  #following(batch: Batch<Op, R>, operations: readonly Operation<Op, R>[]): Batch<Op, R> {
    const following = new Batch(batch.group, operations, batch.attempt + 1);
    following.bisection = batch.bisection;
    this.#waiting.add(following);
    return following;
  }

  #sort(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): Sorted<Op, R> {
    const sorted: Sorted<Op, R> = { again: [], apart: [], asked: 0 };
    const divisible = this.#divisible(batch, outcomes);
    const plan = this.#abandoned ? undefined : planResend(batch, outcomes, { policy: this.#settings.retry, divisible });
    sorted.asked = plan?.asked ?? 0;
    this.denied += plan?.denied ?? 0;
    for (const [index, operation] of batch.operations.entries()) {
      const outcome = outcomes[index] as Outcome<R>;
      if (!outcome.ok && outcome.kind === 'unknown') operation.uncertain = true;
      const fate = plan?.fates[index];
      if (fate !== undefined) sorted[fate].push(operation);
      else this.#conclude(operation, outcome, batch);
    }
    return sorted;
  }

  /** Whether the batch failed in a way that one of its operations may have caused, and may be sent in parts. */
  #divisible({ operations, bisection }: Batch<Op, R>, outcomes: readonly Outcome<R>[]): boolean {
    const [first] = outcomes;
    if (first === undefined || first.ok || (first.kind !== 'unknown' && first.kind !== 'refused')) {
      bisection?.answered();
      return false;
    }
    if (bisection?.failed() === false || operations.length < 2) return false;
    return this.#settings.bisect(reasonOf(first));
  }

  #conclude(operation: Operation<Op, R>, outcome: Outcome<R>, batch: Batch<Op, R>): void {
    if (!operation.settled) {
      this.#resender.settle(operation, outcome.ok ? outcome : finalFailure(outcome, operation, batch));
    }
    this.#resender.release(operation);
  }

  /** The batch keeps its keys until it is sent again. Returns whether it is: nobody may wait for any of it by now. */
  #retry(batch: Batch<Op, R>, asked: number): boolean {
    if (!this.#keepWanted(batch)) {
      this.#waiting.delete(batch);
      return false;
    }
    const { retry } = this.#settings;
    this.#resender.retrying(batch.operations.length);
    const wait = Math.min(retry.maxDelay, asked + fullJitter(batch.attempt - 1, retry, Math.random()));
    batch.backoff = startTimer(() => {
      batch.backoff = undefined;
      this.#resender.ready(batch);
    }, wait);
    return true;
  }

  /** Every call of a bisection costs a token: the search for what is wrong must not flood a store that is ill. */
  #divide(operations: readonly Operation<Op, R>[], failure: Failure, batch: Batch<Op, R>): void {
    const halves = halvesOf(operations);
    if (!this.#settings.retry.budget.take(halves.length)) {
      this.denied += operations.length;
      for (const operation of operations) this.#conclude(operation, failure, batch);
      return;
    }
    this.parts += halves.length;
    const parts = halves.map((half) => this.#following(batch, half));
    for (const part of parts) part.parked = true;
    batch.bisection?.put(parts);
  }

  /** Sends the next part of a bisection, without what needs not be sent any more. */
  #advance(bisection: Bisection<Batch<Op, R>>): void {
    if (this.#abandoned) return;
    for (let part = bisection.next(); part !== undefined; part = bisection.next()) {
      part.parked = false;
      if (this.#keepWanted(part)) {
        this.#resender.ready(part);
        return;
      }
      this.#waiting.delete(part);
    }
  }

  /** An operation of a batch that waits was withdrawn: it leaves the batch, and the batch goes if nobody waits for the rest. */
  withdrawn(operation: Operation<Op, R>, batch: Batch<Op, R>): void {
    // The operations of a part are looked through when its turn comes.
    if (this.#abandoned || batch.parked) return;
    const { uncertain, lane } = operation;
    // Others of its key are about: whether it must follow them is seen when the batch is sent.
    const maybeFollows = uncertain && lane !== undefined && (lane.held > 1 || batch.bisection !== undefined);
    if (!maybeFollows) this.#resender.release(operation);
    if (--batch.unsettled > 0 || this.#keepWanted(batch)) return;
    this.#drop(batch);
    if (batch.bisection !== undefined) this.#advance(batch.bisection);
  }

  /**
   * Releases what needs not be sent. Returns whether anything is left.
   *
   * A withdrawn operation is sent all the same when it may have taken effect, and an earlier one of its key is or was sent again, which would
   * then take effect last.
   */
  #keepWanted(batch: Batch<Op, R>): boolean {
    const sent = batch.bisection?.sent;
    const lanes = new Set<unknown>();
    const wanted: Operation<Op, R>[] = [];
    batch.unsettled = 0;
    for (const operation of batch.operations) {
      const { settled, uncertain, lane } = operation;
      if (operation.batch !== batch) continue;
      if (!settled) batch.unsettled++;
      const follows = uncertain && lane !== undefined && (lanes.has(lane) || sent?.has(lane) === true);
      if (!settled || follows) wanted.push(operation);
      else this.#resender.release(operation);
      if (!settled && lane !== undefined) lanes.add(lane);
    }
    batch.operations = wanted;
    return wanted.length > 0;
  }

  #drop(batch: Batch<Op, R>): void {
    this.#waiting.delete(batch);
    batch.backoff?.cancel();
    batch.backoff = undefined;
    if (batch.queued) batch.group.removeRetry(batch);
    batch.queued = false;
  }

  /** From now on nothing is sent again; those that leave are released by {@link clear}. */
  abandon(): void {
    this.#abandoned = true;
  }

  clear(): void {
    for (const batch of this.#waiting) {
      this.#drop(batch);
      for (const operation of batch.operations) if (operation.batch === batch) this.#resender.release(operation);
    }
  }
}

interface Sorted<Op, R> {
  readonly again: Operation<Op, R>[];
  readonly apart: Operation<Op, R>[];
  asked: number;
}
