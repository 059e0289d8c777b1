import { AsyncLocalStorage } from 'node:async_hooks';
import { startTimer, systemClock } from '@perf/core';
import { Batch } from './batch.ts';
import type { BatchTelemetry } from './batch-telemetry.ts';
import type { BatcherSettings } from './batcher-options.ts';
import type { Departure } from './callers.ts';
import { Group } from './group.ts';
import { KeyOrder } from './key-order.ts';
import type { Operation } from './operation.ts';
import { plainResults } from './plain-results.ts';
import { planRetry } from './plan-retry.ts';
import { type Outcome, readOutcomes, readRejection } from './read-outcomes.ts';
import { ReadyShelves } from './ready-shelves.ts';
import { fullJitter } from './retry-policy.ts';
import { atTickEnd } from './tick-end.ts';

/** What the dispatcher tells its owner. */
export interface DispatcherEvents<Op, R> {
  /** The operation has succeeded; its promise is the owner's to settle. */
  succeeded(operation: Operation<Op, R>, value: R): void;
  /** The operation has come out otherwise, for good. */
  failed(operation: Operation<Op, R>, error: unknown, how: FailureKind): void;
  /** Batches are about to be put together. */
  sending(): void;
  /** `count` operations wait for another attempt. */
  retrying(count: number): void;
  /** A batch has ended. */
  ended(): void;
}

/** Why an operation did not succeed. */
export type FailureKind = 'failed' | Departure;

/**
 * Decides when what is sent. A group is ready when it has something to send and needs not linger; while a slot is free, ready groups are
 * sent at the end of the tick, so that everything added by then goes together; while none is, they grow.
 */
export class Dispatcher<Op, R> {
  readonly keys: KeyOrder<Op, R> = new KeyOrder();
  readonly #settings: BatcherSettings<Op, R>;
  readonly #telemetry: BatchTelemetry;
  readonly #events: DispatcherEvents<Op, R>;
  readonly #groups = new Map<string, Group<Op, R>>();
  readonly #ready: ReadyShelves<Op, R> = new ReadyShelves();
  /** Running, waiting for another attempt, or for a slot to start it. */
  readonly #batches = new Set<Batch<Op, R>>();
  /** Batches belong to no caller: each runs in the context the batcher was made in. */
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  #running = 0;
  #sent = 0;
  #scheduled = false;
  /** Lingering is over for everything: the batcher drains. */
  #hurried = false;
  #abandoned = false;

  constructor(settings: BatcherSettings<Op, R>, telemetry: BatchTelemetry, events: DispatcherEvents<Op, R>) {
    this.#settings = settings;
    this.#telemetry = telemetry;
    this.#events = events;
  }

  /** How many batches run. */
  get running(): number {
    return this.#running;
  }

  /** How many batches have been sent. */
  get sent(): number {
    return this.#sent;
  }

  get groups(): number {
    return this.#groups.size;
  }

  /** The group of that name; it stays as long as operations of it are pending. */
  groupOf(name: string): Group<Op, R> {
    return this.#groups.get(name) ?? this.#addGroup(name);
  }

  #addGroup(name: string): Group<Op, R> {
    const { groupOrder, linger } = this.#settings;
    const index = groupOrder.indexOf(name);
    const place = { name, rank: index === -1 ? groupOrder.length : index, open: linger === undefined };
    const group = new Group<Op, R>(place, this.#settings, this.#ready);
    this.#groups.set(name, group);
    return group;
  }

  /** An operation whose group counts it as pending already may be sent. */
  enqueue(operation: Operation<Op, R>): void {
    this.keys.enqueue(operation);
    if (this.#settings.linger !== undefined) this.#refresh(operation.group);
    if (!this.#scheduled) this.#schedule();
  }

  /** Settles an operation that is not to be sent, or whose answer nobody waits for any more. */
  withdraw(operation: Operation<Op, R>, reason: unknown, how: Departure): void {
    if (operation.settled) return;
    const { batch } = operation;
    this.#fail(operation, reason, how);
    if (batch === undefined) {
      for (const group of this.keys.withdraw(operation)) this.#refresh(group);
    } else if (batch.running) {
      // It stays in the batch: its key is busy until `execute` is done with it.
      batch.forsake(reason);
    } else {
      this.#leaveRetry(batch, operation);
    }
    this.#schedule();
  }

  /** Ends the lingering of everything that waits now; with `always`, of everything that comes as well. */
  hurry(always: boolean): void {
    this.#hurried ||= always;
    for (const group of this.#groups.values()) this.#endLinger(group);
    this.#schedule();
  }

  relax(): void {
    this.#hurried = false;
  }

  /** Lets what stands before an operation, and itself, linger no longer than `wait` milliseconds from now. */
  hasten(operation: Operation<Op, R>, wait: number): void {
    if (operation.parked || operation.batch !== undefined) return;
    const group = operation.lane?.queuedIn ?? operation.group;
    if (wait <= 0) {
      this.#endLinger(group);
      this.#schedule();
    } else if (group.linger !== undefined && systemClock.now() + wait < group.lingersUntil) {
      group.linger.cancel();
      this.#startLinger(group, wait);
    }
  }

  /** Gives up on everything: `reason` makes the error of an operation, told whether it may have taken effect. */
  abandon(reason: (operation: Operation<Op, R>, outcomeUnknown: boolean) => Error): void {
    this.#abandoned = true;
    const giveUp = (operation: Operation<Op, R>, outcomeUnknown: boolean): void => {
      if (!operation.settled) this.withdraw(operation, reason(operation, outcomeUnknown), 'withdrawn');
    };
    for (const batch of this.#batches) {
      const { running, operations } = batch;
      for (const operation of operations) giveUp(operation, running || operation.uncertain);
      batch.giveUp();
    }
    for (const group of this.#groups.values()) {
      for (const operation of group.single()) giveUp(operation, false);
    }
    for (const operation of this.keys.waiting()) giveUp(operation, false);
  }

  #schedule(): void {
    if (this.#scheduled || this.#ready.size === 0 || this.#running >= this.#settings.concurrency) return;
    this.#scheduled = true;
    atTickEnd(() => this.#inOwnContext(() => this.#pump()));
  }

  #pump(): void {
    this.#scheduled = false;
    this.#events.sending();
    while (this.#running < this.#settings.concurrency) {
      const shelf = this.#ready.next();
      if (shelf === undefined) return;
      const { group } = shelf;
      const batch = group.shiftRetry() ?? new Batch(group, group.take(shelf), 1);
      group.restore(shelf);
      this.#refresh(group);
      this.#start(batch);
    }
  }

  #start(batch: Batch<Op, R>): void {
    this.#running++;
    this.#sent++;
    this.#batches.add(batch);
    batch.running = true;
    this.#telemetry
      .batch(batch, () => batch.run(this.#settings))
      .then(
        (answer) => {
          const results = plainResults<R>(answer, batch.operations.length);
          if (results !== undefined) this.#succeed(batch, results);
          else this.#end(batch, readOutcomes(answer, batch.facts));
        },
        (error: unknown) => this.#end(batch, readRejection(error, batch.facts)),
      );
  }

  #succeed(batch: Batch<Op, R>, results: readonly R[]): void {
    this.#stop(batch);
    const { operations } = batch;
    for (let index = 0; index < operations.length; index++) {
      const operation = operations[index] as Operation<Op, R>;
      if (!operation.settled) {
        this.forget(operation);
        this.#events.succeeded(operation, results[index] as R);
      }
      this.#release(operation);
    }
    this.#schedule();
    this.#events.ended();
  }

  #end(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): void {
    const again = this.#toSendAgain(batch, outcomes);
    this.#stop(batch);
    const left: Operation<Op, R>[] = [];
    for (const [index, operation] of batch.operations.entries()) {
      const outcome = outcomes[index] as Outcome<R>;
      if (!outcome.ok && outcome.kind === 'unknown') operation.uncertain = true;
      if (again?.has(operation) === true && !operation.settled) {
        left.push(operation);
        continue;
      }
      if (!operation.settled) this.#settle(operation, outcome);
      this.#release(operation);
    }
    if (left.length > 0) this.#retryLater(new Batch(batch.group, left, batch.attempt + 1));
    this.#schedule();
    this.#events.ended();
  }

  #stop(batch: Batch<Op, R>): void {
    batch.running = false;
    this.#running--;
    this.#batches.delete(batch);
  }

  #toSendAgain(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): Set<Operation<Op, R>> | undefined {
    const { retry } = this.#settings;
    if (retry === undefined || this.#abandoned || batch.attempt >= retry.attempts) return undefined;
    if (outcomes.every((outcome) => outcome.ok)) return undefined;
    return planRetry(batch.operations, outcomes, retry);
  }

  /** The batch gives its slot back and keeps its keys until it is sent again. */
  #retryLater(batch: Batch<Op, R>): void {
    this.#batches.add(batch);
    this.#events.retrying(batch.operations.length);
    const { group } = batch;
    const wait = fullJitter(batch.attempt - 1, this.#settings.retry ?? { baseDelay: 0, maxDelay: 0 }, Math.random());
    batch.backoff = startTimer(() => {
      batch.backoff = undefined;
      group.pushRetry(batch);
      this.#schedule();
    }, wait);
  }

  /** Takes a withdrawn operation out of a batch that waits to be sent again, and with it the batch if nobody waits for the rest. */
  #leaveRetry(batch: Batch<Op, R>, operation: Operation<Op, R>): void {
    if (mustFollow(operation, batch)) return;
    batch.operations = batch.operations.filter((each) => each !== operation);
    this.#release(operation);
    if (!batch.operations.every(({ settled }) => settled)) return;
    this.#batches.delete(batch);
    for (const rest of batch.operations) this.#release(rest);
    if (batch.backoff !== undefined) batch.backoff.cancel();
    else batch.group.removeRetry(batch);
  }

  #release(operation: Operation<Op, R>): void {
    operation.batch = undefined;
    const group = this.keys.release(operation);
    if (group === undefined) return;
    // What waited for its key has waited long enough.
    this.#endLinger(group);
  }

  #settle(operation: Operation<Op, R>, outcome: Outcome<R>): void {
    if (!outcome.ok) {
      this.#fail(operation, outcome.error, 'failed');
      return;
    }
    this.forget(operation);
    this.#events.succeeded(operation, outcome.value);
  }

  #fail(operation: Operation<Op, R>, error: unknown, how: FailureKind): void {
    this.forget(operation);
    this.#events.failed(operation, error, how);
  }

  /** The operation is pending no more. */
  forget({ group }: Operation<Op, R>): void {
    if (--group.pending === 0) this.#groups.delete(group.name);
  }

  #endLinger(group: Group<Op, R>): void {
    if (this.#settings.linger === undefined) return;
    if (!group.idle) group.due = true;
    this.#refresh(group);
  }

  /** Called after every change of a group: must it linger, is it ready, has it nothing left? */
  #refresh(group: Group<Op, R>): void {
    const { linger } = this.#settings;
    if (linger === undefined) return;
    if (group.idle) {
      group.due = false;
      group.linger?.cancel();
      group.linger = undefined;
      group.open = false;
      return;
    }
    const lingers = !this.#hurried && !group.due && !group.full;
    group.open = !lingers;
    if (lingers && group.linger === undefined) this.#startLinger(group, linger);
  }

  #startLinger(group: Group<Op, R>, linger: number): void {
    group.lingersUntil = systemClock.now() + linger;
    group.linger = startTimer(() => {
      group.linger = undefined;
      // Remembered in the group: no slot may be free now.
      this.#endLinger(group);
      this.#schedule();
    }, linger);
  }
}

/**
 * Whether a withdrawn operation is sent again all the same: it may have taken effect, and an earlier one of its key is sent again,
 * which would then take effect last.
 */
function mustFollow<Op, R>({ uncertain, lane, sequence }: Operation<Op, R>, batch: Batch<Op, R>): boolean {
  if (!uncertain || lane === undefined) return false;
  const precedes = (other: Operation<Op, R>): boolean =>
    !other.settled && other.lane === lane && other.sequence < sequence;
  return batch.operations.some(precedes);
}
