import {
  type StatsSource,
  checkName,
  checkOptions,
  checkRange,
  checkSignal,
  startTimer,
  systemClock,
} from '@perf/core';
import { Admission } from './admission.ts';
import { ANY_SIZE } from './any-size.ts';
import { BatchTelemetry } from './batch-telemetry.ts';
import {
  type AddOptions,
  type BatcherCloseOptions,
  type CloseReport,
  type ReadyOptions,
  checkAddOptions,
  closeTimeout,
  checkPriority,
} from './batcher-calls.ts';
import { type BatcherOptions, type BatcherSettings, batcherSettings } from './batcher-options.ts';
import { type BatcherCounts, type BatcherStats, noCounts } from './batcher-stats.ts';
import { Callers, type Departure } from './callers.ts';
import { Dispatcher, type FailureKind } from './dispatcher.ts';
import { BatcherClosedError } from './errors.ts';
import { FlushMarks } from './flush-marks.ts';
import { keepMade } from './keep.ts';
import { type Merging, mergingFor } from './merging.ts';
import { Operation } from './operation.ts';
import { settleEach } from './settle-each.ts';
import { SharedReads } from './shared-reads.ts';

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
  readonly #shared: SharedReads<Op, R> | undefined;
  readonly #merging: Merging<Op, R> | undefined;
  readonly #admission: Admission<Op, R>;
  readonly #callers: Callers<Op, R> = new Callers((operation, reason, departure) => {
    if (operation.parked) this.#unpark(operation, reason, departure);
    else this.#dispatcher.withdraw(operation, reason, departure);
    this.#roomMade();
  });
  readonly #stopObserving: () => void;
  readonly #marks: FlushMarks = new FlushMarks();
  readonly #leftovers: { operation: Operation<Op, R>; outcomeUnknown: boolean }[] = [];
  #idle: (() => void)[] = [];
  #draining = 0;
  #hurried = false;
  #closing: Promise<CloseReport<Op>> | undefined = undefined;
  #sequence = 0;
  /** What was added before this one is not to linger. */
  #flushed = 0;
  readonly #counts: BatcherCounts = noCounts();

  /** Throws a `RangeError` or `TypeError` that names the option when one is wrong or unknown. */
  constructor(options: BatcherOptions<Op, R>) {
    this.#settings = batcherSettings(options);
    this.#component = `Batcher ${JSON.stringify(this.#settings.name)}`;
    this.#telemetry = new BatchTelemetry(this.#settings.name);
    this.#admission = new Admission(this.#settings);
    this.#dispatcher = new Dispatcher(this.#settings, this.#telemetry, {
      succeeded: (operation, value) => this.#succeed(operation, value),
      failed: (operation, error, how) => this.#fail(operation, error, how),
      retrying: (count) => (this.#counts.retried += count),
      sending: () => this.#callers.expire(),
      ended: () => this.#roomMade(),
      pending: () => this.#admission.pending,
    });
    this.#shared = this.#settings.dedupeKey === undefined ? undefined : new SharedReads(this.#dispatcher.keys);
    this.#merging = mergingFor(this.#settings, this.#admission, this.#dispatcher);
    this.#stopObserving = this.#telemetry.observe(this);
    keepOne();
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Adds an operation to a batch, and resolves with its result. Never throws; rejects
   * - with the `Error` that `execute` returned for it, unchanged;
   * - with `signal.reason`, or a `BatchDeadlineError` when its `timeout` is up;
   * - with a `BatchFailedError`, `BatchTimeoutError` or `BatchResultError` when its batch failed as a whole;
   * - with a `QueueFullError` (`PERF_BATCH_FULL`) when there is no room for it (see `whenFull`), or a `BatcherClosedError`;
   * - with what `groupBy`, `orderingKey`, `dedupeKey`, `priority` or `sizeOf` threw for it.
   */
  add(op: Op, options?: AddOptions): Promise<R> {
    try {
      if (options !== undefined) return this.#addFor(op, options);
      const operation = this.#underWay(op, undefined);
      return operation.parked ? this.#callers.wait(operation, undefined, Infinity) : operation.wait();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Adds several operations at once, and resolves when all have settled, with the outcome of each in the order given. Rejects only if
   * iterating `ops` throws.
   */
  async addMany(ops: Iterable<Op>, options?: AddOptions): Promise<PromiseSettledResult<R>[]> {
    return settleEach(ops, (op) => this.add(op, options));
  }

  /**
   * Resolves when there is room for one more operation, in turn: for a producer that fetches the next one only then. Rejects with `signal.reason`,
   * or a `BatcherClosedError`. The room is not reserved: add at once.
   */
  async ready(options: ReadyOptions = {}): Promise<void> {
    checkOptions('ready', options, ['signal']);
    const { signal } = options;
    if (signal !== undefined) checkSignal('signal', signal).throwIfAborted();
    if (this.closed) throw new BatcherClosedError(this.#component, false);
    const ready = this.#admission.ready(signal);
    this.#pace();
    try {
      await ready;
    } finally {
      this.#pace();
    }
  }

  /**
   * Sends what waits without lingering, and resolves when everything added before has settled, failures included. Awaited inside `execute` it
   * waits for itself.
   */
  flush(): Promise<void> {
    this.#flushed = this.#sequence;
    this.#dispatcher.hurry(false);
    return this.#marks.passed();
  }

  /** Sends everything without lingering, what is added meanwhile too, and resolves when nothing is pending and no batch runs. */
  async drain(): Promise<void> {
    this.#draining++;
    this.#pace();
    try {
      if (!this.#isIdle) await new Promise<void>((resolve) => this.#idle.push(resolve));
    } finally {
      this.#draining--;
      this.#pace();
    }
  }

  /** Nothing lingers while the batcher drains, nor while anybody waits for room: nothing could come to fill a batch. */
  #pace(): void {
    const hurried = this.#draining > 0 || this.#admission.crowded;
    if (hurried === this.#hurried) return;
    this.#hurried = hurried;
    if (hurried) this.#dispatcher.hurry(true);
    else this.#dispatcher.relax();
  }

  /** A fresh snapshot. */
  stats(): BatcherStats {
    return {
      pending: this.#admission.pending,
      pendingBytes: this.#admission.bytes,
      parked: this.#admission.parked.size,
      inFlight: this.#dispatcher.running,
      groups: this.#dispatcher.groups,
      orderingKeys: this.#dispatcher.keys.size,
      ...this.#counts,
      denied: this.#dispatcher.resending.denied,
      batches: this.#dispatcher.sent,
      parts: this.#dispatcher.resending.parts,
      maxSize: this.#settings.sizing.largest,
    };
  }

  /**
   * Refuses further operations, sends what waits, for room too, and resolves when everything has settled. When `timeout` is up, what is left is rejected
   * with a `BatcherClosedError` and reported, and the signals of running batches abort. Each call resolves with the same report;
   * a later call may set a timeout.
   */
  close(options: BatcherCloseOptions = {}): Promise<CloseReport<Op>> {
    let timeout: number;
    try {
      timeout = closeTimeout(options);
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

  #addFor(op: Op, options: AddOptions): Promise<R> {
    const { signal, timeout, priority } = checkAddOptions(options);
    const operation = this.#underWay(op, priority);
    if (signal === undefined && timeout === Infinity && !operation.parked) return operation.wait();
    const result = this.#callers.wait(operation, signal, timeout);
    if (timeout !== Infinity) this.#dispatcher.hasten(operation, timeout / 2);
    return result;
  }

  /** The operation whose result a caller waits for: one under way that it can share, or a new one. */
  #underWay(op: Op, urgency: number | undefined): Operation<Op, R> {
    const { groupBy, orderingKey, dedupeKey: identify, sizeOf, priority: prioritise, whenFull } = this.#settings;
    const group = groupBy === undefined ? 'default' : checkName('groupBy(op)', groupBy(op));
    const key = orderingKey?.(op);
    const dedupeKey = identify?.(op);
    const bytes = sizeOf === undefined ? 0 : checkRange('sizeOf(op)', sizeOf(op), ANY_SIZE);
    let priority = urgency ?? 0;
    if (urgency === undefined && prioritise !== undefined) priority = checkPriority('priority(op)', prioritise(op));
    const merger = this.#merging?.propose({ op, group, key, dedupeKey, priority });
    // After the callbacks above, which may have closed the batcher.
    if (this.closed) throw new BatcherClosedError(this.#component, false);
    const shared = this.#sharedRead(group, key, dedupeKey);
    if (shared !== undefined) return this.#join(shared, 'shared');
    if (merger !== undefined && this.#merging?.apply(merger) === true) {
      // What has become smaller leaves room.
      this.#roomMade();
      return this.#join(merger.into, 'merged');
    }
    const fits = this.#admission.fits(bytes);
    if (!fits && whenFull === 'reject') throw this.#refusal();
    const operation = new Operation<Op, R>(op, this.#dispatcher.groupOf(group), this.#sequence++);
    operation.key = key;
    operation.dedupeKey = dedupeKey;
    operation.bytes = bytes;
    operation.priority = priority;
    this.#dispatcher.count(operation);
    this.#counts.added++;
    operation.mark = this.#marks.enter();
    this.#telemetry.added(operation);
    if (fits) this.#letIn(operation);
    else this.#park(operation);
    return operation;
  }

  /** A read shares none while others wait for room: a write of its key may be among them. */
  #sharedRead(group: string, key: unknown, dedupeKey: unknown): Operation<Op, R> | undefined {
    if (dedupeKey === undefined || this.#admission.parked.size > 0) return undefined;
    return this.#shared?.find({ group, key, dedupeKey });
  }

  /** Another call of `add` is given the result of an operation under way. */
  #join(operation: Operation<Op, R>, how: 'shared' | 'merged'): Operation<Op, R> {
    this.#counts[how]++;
    this.#telemetry.joined(operation);
    return operation;
  }

  #refusal(): Error {
    this.#counts.refused++;
    // Nothing can come to fill a batch.
    if (this.#settings.linger !== undefined) this.#dispatcher.hurry(false);
    return this.#admission.refusal(this.#component);
  }

  #letIn(operation: Operation<Op, R>): void {
    this.#admission.enter(operation.bytes);
    this.#dispatcher.enqueue(operation);
    this.#shared?.added(operation);
  }

  #park(operation: Operation<Op, R>): void {
    this.#admission.park(operation);
    this.#pace();
  }

  /** Room may have been made: what waits for it comes in. */
  #roomMade(): void {
    for (let next = this.#admission.next(); next !== undefined; next = this.#admission.next()) {
      this.#pace();
      this.#letIn(next);
      const deadline = next.callers?.head?.deadline ?? Infinity;
      if (next.sequence < this.#flushed) this.#dispatcher.hasten(next, 0);
      else if (deadline !== Infinity) this.#dispatcher.hasten(next, (deadline - systemClock.now()) / 2);
    }
    this.#admission.callProducers();
    this.#pace();
    this.#wakeIfIdle();
  }

  #succeed(operation: Operation<Op, R>, value: R): void {
    this.#admission.leave(operation.bytes);
    this.#counts.succeeded++;
    this.#shared?.settled(operation);
    this.#callers.dismiss(operation);
    operation.succeed(value);
    this.#marks.leave(operation);
  }

  #fail(operation: Operation<Op, R>, error: unknown, how: FailureKind): void {
    this.#admission.leave(operation.bytes);
    this.#shared?.settled(operation);
    this.#reject(operation, error, how);
  }

  #unpark(operation: Operation<Op, R>, error: unknown, how: Departure): void {
    this.#admission.unpark(operation);
    this.#dispatcher.forget(operation);
    this.#reject(operation, error, how);
  }

  #reject(operation: Operation<Op, R>, error: unknown, how: FailureKind): void {
    this.#counts[how]++;
    this.#callers.dismiss(operation);
    operation.fail(error);
    this.#marks.leave(operation);
  }

  get #isIdle(): boolean {
    return this.#admission.pending === 0 && this.#admission.parked.size === 0 && this.#dispatcher.idle;
  }

  #wakeIfIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const wake of idle) wake();
  }

  async #finish(): Promise<CloseReport<Op>> {
    this.#admission.refuseProducers(new BatcherClosedError(this.#component, false));
    await this.drain();
    this.#stopObserving();
    const left = this.#leftovers.sort((a, b) => a.operation.sequence - b.operation.sequence);
    return {
      unsent: left.filter(({ outcomeUnknown }) => !outcomeUnknown).map(({ operation }) => operation.op),
      unknown: left.filter(({ outcomeUnknown }) => outcomeUnknown).map(({ operation }) => operation.op),
    };
  }

  #abandon(): void {
    const leave = (operation: Operation<Op, R>, outcomeUnknown: boolean): Error => {
      this.#leftovers.push({ operation, outcomeUnknown });
      return new BatcherClosedError(this.#component, outcomeUnknown);
    };
    // First of all, or they would be let in where others leave.
    for (const operation of this.#admission.parked) this.#unpark(operation, leave(operation, false), 'withdrawn');
    this.#dispatcher.abandon(leave);
    this.#wakeIfIdle();
  }
}

let isKept = false;

/** Not when this module is loaded: that must change nothing in the process. Not in the class either: a bundler would rename a class that names itself. */
function keepOne(): void {
  if (isKept) return;
  isKept = true;
  keepMade(() => {
    const batcher = new Batcher<unknown, unknown>({ execute: (ops) => ops });
    void batcher.close();
    return batcher;
  });
}
