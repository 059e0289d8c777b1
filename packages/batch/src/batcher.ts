import {
  AbortGroups,
  QueueFullError,
  type StatsSource,
  checkDuration,
  checkName,
  checkOptions,
  checkRange,
  checkSignal,
  startTimer,
} from '@perf/core';
import { BatchTelemetry } from './batch-telemetry.ts';
import { type BatcherOptions, type BatcherSettings, batcherSettings } from './batcher-options.ts';
import type { BatcherStats } from './batcher-stats.ts';
import { Dispatcher } from './dispatcher.ts';
import { BatcherClosedError } from './errors.ts';
import { FlushMarks } from './flush-marks.ts';
import { Operation } from './operation.ts';
import type { Outcome } from './read-outcomes.ts';
import { SharedReads, type Traits } from './shared-reads.ts';

/** Options of {@link Batcher.add}. */
export interface AddOptions {
  /** Stops waiting, with `signal.reason`. An operation all of whose callers have aborted is not sent, if it has not been yet. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Batcher.close}. */
export interface BatcherCloseOptions {
  /** How long to wait for what is pending, in milliseconds; what is left then is rejected. @default Infinity */
  readonly timeout?: number | undefined;
}

/** What {@link Batcher.close} could not finish in time. */
export interface CloseReport<Op> {
  /** Operations that have not taken effect, in the order they were added. */
  readonly unsent: readonly Op[];
  /** Operations that had been sent: each may or may not have taken effect. */
  readonly unknown: readonly Op[];
}

/**
 * Collects single operations into batches and gives each caller its own result.
 *
 * A group with a free slot is sent at the end of the tick; while all slots are busy it grows, so that batches get larger just when the
 * store is slow. Program order of an `orderingKey` holds across batches, groups, retries and concurrency, and operations of different keys never
 * wait for each other's order.
 */
export class Batcher<Op, R> implements AsyncDisposable, StatsSource<BatcherStats> {
  readonly #settings: BatcherSettings<Op, R>;
  readonly #component: string;
  readonly #telemetry: BatchTelemetry;
  readonly #dispatcher: Dispatcher<Op, R>;
  readonly #shared: SharedReads<Op, R>;
  readonly #signals = new AbortGroups<() => void>((waiters) => {
    for (const waiter of waiters) waiter();
  });
  readonly #stopObserving: () => void;
  readonly #marks: FlushMarks = new FlushMarks();
  readonly #leftovers: { operation: Operation<Op, R>; outcomeUnknown: boolean }[] = [];
  #idle: (() => void)[] = [];
  #draining = 0;
  #closing: Promise<CloseReport<Op>> | undefined = undefined;
  #pending = 0;
  #counts = { added: 0, shared: 0, refused: 0, succeeded: 0, failed: 0, withdrawn: 0, retried: 0 };

  /** Throws a `RangeError` or `TypeError` that names the option when one is wrong or unknown. */
  constructor(options: BatcherOptions<Op, R>) {
    this.#settings = batcherSettings(options);
    this.#component = `Batcher ${JSON.stringify(this.#settings.name)}`;
    this.#telemetry = new BatchTelemetry(this.#settings.name);
    this.#dispatcher = new Dispatcher(this.#settings, this.#telemetry, {
      settled: (operation, outcome) => this.#settle(operation, outcome),
      retrying: (count) => (this.#counts.retried += count),
      ended: () => this.#wakeIfIdle(),
    });
    this.#shared = new SharedReads(this.#dispatcher.keys);
    this.#stopObserving = this.#telemetry.observe(this);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Adds an operation to a batch, and resolves with its result. Never throws; rejects
   * - with the `Error` that `execute` returned for it, unchanged;
   * - with `signal.reason`;
   * - with a `BatchFailedError`, `BatchTimeoutError` or `BatchResultError` when its batch failed as a whole;
   * - with a `QueueFullError` (`PERF_BATCH_FULL`) when `maxPending` operations are unsettled, or a `BatcherClosedError`;
   * - with what `groupBy`, `orderingKey`, `dedupeKey` or `sizeOf` threw for it.
   */
  add(op: Op, options?: AddOptions): Promise<R> {
    try {
      if (options !== undefined) checkOptions('a call of Batcher', options, ['signal']);
      const signal = options?.signal;
      if (signal !== undefined) checkSignal('signal', signal).throwIfAborted();
      const operation = this.#underWay(op);
      if (signal === undefined) return operation.wait();
      return operation.waitFor(signal, this.#signals, (reason) => {
        this.#dispatcher.withdraw(operation, reason);
        this.#wakeIfIdle();
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Adds several operations at once, and resolves when all have settled, with the outcome of each in the order given. Rejects only if
   * iterating `ops` throws.
   */
  async addMany(ops: Iterable<Op>, options?: AddOptions): Promise<PromiseSettledResult<R>[]> {
    const results: Promise<R>[] = [];
    try {
      for (const op of ops) results.push(this.add(op, options));
    } catch (error) {
      // Those already added go on; their results are nobody's.
      void Promise.allSettled(results);
      throw error;
    }
    return Promise.allSettled(results);
  }

  /**
   * Sends what waits without lingering, and resolves when everything added before has settled, failures included. Awaited inside `execute` it
   * waits for itself.
   */
  flush(): Promise<void> {
    this.#dispatcher.hurry(false);
    return this.#marks.passed();
  }

  /** Sends everything without lingering, what is added meanwhile too, and resolves when nothing is pending and no batch runs. */
  async drain(): Promise<void> {
    this.#draining++;
    this.#dispatcher.hurry(true);
    try {
      if (!this.#isIdle) await new Promise<void>((resolve) => this.#idle.push(resolve));
    } finally {
      if (--this.#draining === 0) this.#dispatcher.relax();
    }
  }

  /** A fresh snapshot. */
  stats(): BatcherStats {
    return {
      pending: this.#pending,
      inFlight: this.#dispatcher.running,
      groups: this.#dispatcher.groups,
      orderingKeys: this.#dispatcher.keys.size,
      ...this.#counts,
      batches: this.#dispatcher.sent,
    };
  }

  /**
   * Refuses further operations, sends what waits and resolves when everything has settled. When `timeout` is up, what is left is rejected
   * with a `BatcherClosedError` and reported, and the signals of running batches abort. Each call resolves with the same report;
   * a later call may set a timeout.
   */
  close(options: BatcherCloseOptions = {}): Promise<CloseReport<Op>> {
    let timeout: number;
    try {
      checkOptions('close', options, ['timeout']);
      timeout = checkDuration('timeout', options.timeout ?? Infinity);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#closing ??= this.#finish();
    const timer = startTimer(() => this.#abandon(), timeout);
    void this.#closing.then(() => timer.cancel());
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The operation whose result a caller waits for: one under way that it can share, or a new one. */
  #underWay(op: Op): Operation<Op, R> {
    const traits = this.#traitsOf(op);
    // After the callbacks above, which may have closed the batcher.
    if (this.closed) throw new BatcherClosedError(this.#component, false);
    const read = this.#shared.find(traits);
    if (read !== undefined) {
      this.#counts.shared++;
      return read;
    }
    const { maxPending } = this.#settings;
    if (this.#pending >= maxPending) {
      this.#counts.refused++;
      throw new QueueFullError(this.#component, { pending: this.#pending, limit: maxPending, code: 'PERF_BATCH_FULL' });
    }
    return this.#accept(op, traits);
  }

  #traitsOf(op: Op): Traits {
    const { groupBy, orderingKey, dedupeKey, sizeOf } = this.#settings;
    return {
      group: groupBy === undefined ? 'default' : checkName('groupBy(op)', groupBy(op)),
      orderingKey: orderingKey?.(op),
      dedupeKey: dedupeKey?.(op),
      bytes: sizeOf === undefined ? 0 : checkRange('sizeOf(op)', sizeOf(op), ANY_SIZE),
    };
  }

  #accept(op: Op, { group, orderingKey, dedupeKey, bytes }: Traits): Operation<Op, R> {
    const operation = new Operation<Op, R>(op, {
      group: this.#dispatcher.groupOf(group),
      lane: orderingKey === undefined ? undefined : this.#dispatcher.keys.laneOf(orderingKey),
      bytes,
      dedupeKey,
      sequence: this.#counts.added++,
      mark: this.#marks.enter(),
      caller: this.#telemetry.caller(),
    });
    this.#pending++;
    this.#shared.added(operation);
    this.#dispatcher.enqueue(operation);
    return operation;
  }

  #settle(operation: Operation<Op, R>, outcome: Outcome<R>): void {
    this.#pending--;
    this.#shared.settled(operation);
    if (outcome.ok) {
      this.#counts.succeeded++;
      operation.succeed(outcome.value);
    } else {
      this.#counts[outcome.kind === 'withdrawn' ? 'withdrawn' : 'failed']++;
      operation.fail(outcome.error);
    }
    this.#marks.leave(operation.place.mark);
  }

  get #isIdle(): boolean {
    return this.#pending === 0 && this.#dispatcher.running === 0;
  }

  #wakeIfIdle(): void {
    if (!this.#isIdle) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const wake of idle) wake();
  }

  async #finish(): Promise<CloseReport<Op>> {
    await this.drain();
    this.#stopObserving();
    const left = this.#leftovers.sort((a, b) => a.operation.place.sequence - b.operation.place.sequence);
    return {
      unsent: left.filter(({ outcomeUnknown }) => !outcomeUnknown).map(({ operation }) => operation.op),
      unknown: left.filter(({ outcomeUnknown }) => outcomeUnknown).map(({ operation }) => operation.op),
    };
  }

  #abandon(): void {
    this.#dispatcher.abandon((operation, outcomeUnknown) => {
      this.#leftovers.push({ operation, outcomeUnknown });
      return new BatcherClosedError(this.#component, outcomeUnknown);
    });
    this.#wakeIfIdle();
  }
}

const ANY_SIZE = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;
