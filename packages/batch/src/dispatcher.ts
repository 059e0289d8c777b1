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
import { type Failure, type Outcome, readOutcomes, readRejection, reasonOf } from './read-outcomes.ts';
import { ReadyShelves } from './ready-shelves.ts';
import { Resending } from './resending.ts';
import type { Shelf } from './shelf.ts';
import { atTickEnd } from './tick-end.ts';

/** So many groups are not made anew each time something is added to them. */
const KEPT_GROUPS = 16;

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
  /** How many operations are unsettled, those that wait for room aside. */
  pending(): number;
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
  readonly #resending: Resending<Op, R>;
  /** Those that run. */
  readonly #batches = new Set<Batch<Op, R>>();
  /** Batches belong to no caller: each runs in the context the batcher was made in. */
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  #busyGroups = 0;
  #running = 0;
  #sent = 0;
  #scheduled = false;
  /** Lingering is over for everything: the batcher drains. */
  #hurried = false;
  /** Whether anything has begun to linger since all lingering was ended. */
  #lingers = false;

  constructor(settings: BatcherSettings<Op, R>, telemetry: BatchTelemetry, events: DispatcherEvents<Op, R>) {
    this.#settings = settings;
    this.#telemetry = telemetry;
    this.#events = events;
    this.#resending = new Resending(settings, {
      settle: (operation, outcome) => this.#settle(operation, outcome),
      release: (operation) => this.#release(operation),
      ready: (batch) => {
        batch.queued = true;
        batch.group.pushRetry(batch);
        this.#schedule();
      },
      retrying: (count) => events.retrying(count),
    });
  }

  /** What has been sent in parts, or not sent again. */
  get resending(): { readonly parts: number; readonly denied: number } {
    return this.#resending;
  }

  /** How many batches run. */
  get running(): number {
    return this.#running;
  }

  /** Whether no batch runs, or waits to be sent again: not even for operations nobody waits for. */
  get idle(): boolean {
    return this.#running === 0 && this.#resending.waiting.size === 0;
  }

  /** How many batches have been sent. */
  get sent(): number {
    return this.#sent;
  }

  /** How many groups have pending operations. */
  get groups(): number {
    return this.#busyGroups;
  }

  /** The group of that name; it stays as long as operations of it are pending, and longer if there are few. */
  groupOf(name: string): Group<Op, R> {
    return this.#groups.get(name) ?? this.#addGroup(name);
  }

  #addGroup(name: string): Group<Op, R> {
    const { groupOrder, linger } = this.#settings;
    const index = groupOrder.indexOf(name);
    const place = { name, rank: index === -1 ? groupOrder.length : index, open: linger === undefined };
    const { maxBytes, sizing } = this.#settings;
    const group = new Group<Op, R>(place, { maxSize: sizing.sizeOf(name), maxBytes }, this.#ready);
    this.#groups.set(name, group);
    return group;
  }

  /** An operation whose group counts it as pending already may be sent. */
  enqueue(operation: Operation<Op, R>): void {
    this.keys.enqueue(operation);
    if (this.#settings.linger !== undefined) this.#refresh(operation.group);
    if (!this.#scheduled) this.#schedule();
  }

  /** An operation that waits, the last of its key, gets another size. */
  resize(operation: Operation<Op, R>, bytes: number): void {
    operation.group.resize(operation, bytes);
    this.#refresh(operation.group);
    this.#schedule();
  }

  /** Settles an operation that is not to be sent, or whose answer nobody waits for any more. */
  withdraw(operation: Operation<Op, R>, reason: unknown, how: Departure): void {
    if (operation.settled) return;
    const { batch } = operation;
    this.#fail(operation, reason, how);
    if (batch === undefined) {
      const [left, got] = this.keys.withdraw(operation);
      if (left !== undefined) this.#refresh(left);
      // What waited behind it has waited long enough.
      if (got !== undefined) this.#endLinger(got);
    } else if (batch.running) {
      // It stays in the batch: its key is busy until `execute` is done with it.
      batch.forsake(reason);
    } else {
      this.#resending.withdrawn(operation, batch);
    }
    this.#schedule();
  }

  /** Ends the lingering of everything that waits now; with `always`, of everything that comes as well. */
  hurry(always: boolean): void {
    this.#hurried ||= always;
    if (!this.#lingers) return;
    this.#lingers = false;
    for (const group of this.#groups.values()) this.#endLinger(group);
    this.#schedule();
  }

  relax(): void {
    this.#hurried = false;
  }

  /** Lets what stands before an operation, and itself, linger no longer than `wait` milliseconds from now. */
  hasten(operation: Operation<Op, R>, wait: number): void {
    const { lane } = operation;
    const group = lane === undefined ? operation.group : lane.queuedIn;
    // What waits for its key does not linger.
    if (this.#settings.linger === undefined || operation.parked || operation.batch !== undefined || group === undefined)
      return;
    if (wait <= 0) {
      this.#endLinger(group);
      this.#schedule();
    } else if (group.linger === undefined || systemClock.now() + wait < group.lingersUntil) {
      // Even if the group is full now: what is left over when a batch has been sent lingers.
      group.linger?.cancel();
      this.#startLinger(group, wait);
    }
  }

  /** Gives up on everything: `reason` makes the error of an operation, told whether it may have taken effect. */
  abandon(reason: (operation: Operation<Op, R>, outcomeUnknown: boolean) => Error): void {
    this.#resending.abandon();
    const giveUp = (operation: Operation<Op, R>, outcomeUnknown: boolean): void => {
      if (!operation.settled) this.withdraw(operation, reason(operation, outcomeUnknown), 'withdrawn');
    };
    for (const batch of this.#batches) {
      for (const operation of batch.operations) giveUp(operation, true);
      batch.giveUp();
    }
    for (const { operations } of this.#resending.waiting) {
      for (const operation of operations) giveUp(operation, operation.uncertain);
    }
    this.#resending.clear();
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
      const batch = group.shiftRetry() ?? this.#take(shelf);
      group.restore(shelf);
      this.#refresh(group);
      this.#start(batch);
    }
  }

  #take(shelf: Shelf<Op, R>): Batch<Op, R> {
    const { group } = shelf;
    const { sizing } = this.#settings;
    if (!sizing.adaptive) return new Batch(group, group.take(shelf), 1);
    const limit = sizing.limitFor(group.name, group.waiting, this.#events.pending());
    group.maxSize = limit;
    const batch = new Batch(group, group.take(shelf), 1);
    group.maxSize = sizing.sizeOf(group.name);
    batch.limit = limit;
    return batch;
  }

  #start(batch: Batch<Op, R>): void {
    this.#resending.starting(batch);
    if (batch.limit !== undefined) batch.startedAt = systemClock.now();
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
    this.#stop(batch, []);
    const { operations } = batch;
    for (let index = 0; index < operations.length; index++) {
      const operation = operations[index] as Operation<Op, R>;
      if (!operation.settled) {
        this.forget(operation);
        this.#events.succeeded(operation, results[index] as R);
      }
      this.#release(operation);
    }
    this.#resending.succeeded(batch);
    batch.empty();
    this.#schedule();
    this.#events.ended();
  }

  #end(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): void {
    this.#stop(batch, outcomes);
    this.#resending.takeBack(batch, outcomes);
    batch.empty();
    this.#schedule();
    this.#events.ended();
  }

  /** @param outcomes none when all have succeeded */
  #stop(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): void {
    batch.running = false;
    // Callbacks of the user may abort some of its operations while it is taken apart.
    batch.parked = true;
    this.#running--;
    this.#batches.delete(batch);
    if (batch.limit !== undefined) this.#measure(batch, batch.limit, outcomes);
  }

  #measure({ group, operations, startedAt }: Batch<Op, R>, limit: number, outcomes: readonly Outcome<R>[]): void {
    const { sizing } = this.#settings;
    const size = operations.length;
    const latency = systemClock.now() - startedAt;
    const outcome = outcomes.length === 0 ? 'answered' : sizing.judge(...signsOf(outcomes));
    sizing.record(group.name, { limit, size, latency, outcome });
    group.maxSize = sizing.sizeOf(group.name);
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

  /** The operation is pending from now on. */
  count({ group }: Operation<Op, R>): void {
    if (group.pending++ === 0) this.#busyGroups++;
  }

  /** The operation is pending no more. */
  forget({ group }: Operation<Op, R>): void {
    if (--group.pending > 0) return;
    this.#busyGroups--;
    if (this.#groups.size > KEPT_GROUPS) this.#groups.delete(group.name);
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
    group.due ||= this.#hurried;
    const lingers = !group.due && !group.full;
    group.open = !lingers;
    if (lingers && group.linger === undefined) this.#startLinger(group, linger);
  }

  #startLinger(group: Group<Op, R>, linger: number): void {
    this.#lingers = true;
    group.lingersUntil = systemClock.now() + linger;
    group.linger = startTimer(() => {
      group.linger = undefined;
      // Remembered in the group: no slot may be free now.
      this.#endLinger(group);
      this.#schedule();
    }, linger);
  }
}

/** What the failures of a batch were, and whether it failed as a whole. */
function signsOf<R>(outcomes: readonly Outcome<R>[]): readonly [reasons: unknown[], whole: boolean] {
  const failures = outcomes.filter((outcome): outcome is Failure => !outcome.ok);
  const whole = failures.length === outcomes.length && failures.every(({ kind }) => kind !== 'returned');
  return [failures.map(reasonOf), whole];
}
