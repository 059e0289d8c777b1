import { AsyncLocalStorage } from 'node:async_hooks';
import { startTimer } from '@perf/core';
import { Batch } from './batch.ts';
import type { BatchTelemetry } from './batch-telemetry.ts';
import type { BatcherSettings } from './batcher-options.ts';
import { Group } from './group.ts';
import { KeyOrder } from './key-order.ts';
import type { Operation } from './operation.ts';
import { planRetry } from './plan-retry.ts';
import { type Outcome, readOutcomes, readRejection } from './read-outcomes.ts';
import { ReadyGroups } from './ready-groups.ts';
import { fullJitter } from './retry-policy.ts';
import { atTickEnd } from './tick-end.ts';

/** What the dispatcher tells its owner. */
export interface DispatcherEvents<Op, R> {
  /** The operation has come out, for good; its promise is the owner's to settle. */
  settled(operation: Operation<Op, R>, outcome: Outcome<R>): void;
  /** `count` operations wait for another attempt. */
  retrying(count: number): void;
  /** A batch has ended. */
  ended(): void;
}

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
  readonly #ready: ReadyGroups<Op, R>;
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
    this.#ready = new ReadyGroups(settings.groupOrder.length + 1);
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

  groupOf(name: string): Group<Op, R> {
    let group = this.#groups.get(name);
    if (group === undefined) {
      const rank = this.#settings.groupOrder.indexOf(name);
      group = new Group(name, rank === -1 ? this.#settings.groupOrder.length : rank, this.#settings);
      this.#groups.set(name, group);
    }
    return group;
  }

  enqueue(operation: Operation<Op, R>): void {
    operation.place.group.pending++;
    this.keys.enqueue(operation);
    this.#refresh(operation.place.group);
    this.#schedule();
  }

  /** Settles an operation that is not to be sent, or whose answer nobody waits for any more. */
  withdraw(operation: Operation<Op, R>, reason: unknown): void {
    if (operation.settled) return;
    const { batch } = operation;
    this.#settle(operation, { ok: false, kind: 'withdrawn', error: reason });
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
    for (const group of this.#groups.values()) {
      if (!group.idle) group.due = true;
      this.#refresh(group);
    }
    this.#schedule();
  }

  relax(): void {
    this.#hurried = false;
  }

  /** Gives up on everything: `reason` makes the error of an operation, told whether it may have taken effect. */
  abandon(reason: (operation: Operation<Op, R>, outcomeUnknown: boolean) => Error): void {
    this.#abandoned = true;
    const giveUp = (operation: Operation<Op, R>, outcomeUnknown: boolean): void => {
      if (!operation.settled) this.withdraw(operation, reason(operation, outcomeUnknown));
    };
    for (const batch of this.#batches) {
      const { running, operations } = batch;
      for (const operation of operations) giveUp(operation, running || operation.uncertain);
      batch.giveUp();
    }
    for (const group of this.#groups.values()) {
      for (const operation of group.unordered()) giveUp(operation, false);
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
    while (this.#running < this.#settings.concurrency) {
      const group = this.#ready.next();
      if (group === undefined) return;
      const batch = group.retries.shift() ?? new Batch(group, group.take(), 1);
      this.#refresh(group);
      this.#start(batch);
    }
  }

  #start(batch: Batch<Op, R>): void {
    this.#running++;
    this.#sent++;
    this.#batches.add(batch);
    batch.running = true;
    const answer = this.#telemetry.batch(batch, () => batch.run(this.#settings));
    answer.then(
      (results) => this.#end(batch, readOutcomes(results, batch.facts)),
      (error: unknown) => this.#end(batch, readRejection(error, batch.facts)),
    );
  }

  #end(batch: Batch<Op, R>, outcomes: readonly Outcome<R>[]): void {
    const again = this.#toSendAgain(batch, outcomes);
    batch.running = false;
    this.#running--;
    this.#batches.delete(batch);
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
      group.retries.push(batch);
      this.#refresh(group);
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
    else batch.group.retries.remove(batch);
    this.#refresh(batch.group);
  }

  #release(operation: Operation<Op, R>): void {
    operation.batch = undefined;
    const group = this.keys.release(operation);
    if (group === undefined) return;
    // What waited for its key has waited long enough.
    group.due = true;
    this.#refresh(group);
  }

  #settle(operation: Operation<Op, R>, outcome: Outcome<R>): void {
    const { group } = operation.place;
    if (--group.pending === 0) this.#groups.delete(group.name);
    this.#events.settled(operation, outcome);
  }

  /** Called after every change of a group: is it ready, must it linger, has it nothing left? */
  #refresh(group: Group<Op, R>): void {
    if (group.idle) {
      group.due = false;
      group.linger?.cancel();
      group.linger = undefined;
    }
    const lingers = this.#settings.linger !== undefined && !this.#hurried && !group.due && !group.full;
    if (group.retries.size > 0 || (!group.idle && !lingers)) this.#ready.add(group);
    else this.#ready.remove(group);
    if (!group.idle && lingers && group.linger === undefined) this.#startLinger(group, this.#settings.linger);
  }

  #startLinger(group: Group<Op, R>, linger: number): void {
    group.linger = startTimer(() => {
      group.linger = undefined;
      // Remembered in the group: no slot may be free now.
      group.due = true;
      this.#refresh(group);
      this.#schedule();
    }, linger);
  }
}

/**
 * Whether a withdrawn operation is sent again all the same: it may have taken effect, and an earlier one of its key is sent again,
 * which would then take effect last.
 */
function mustFollow<Op, R>({ uncertain, place }: Operation<Op, R>, batch: Batch<Op, R>): boolean {
  if (!uncertain || place.lane === undefined) return false;
  const precedes = (other: Operation<Op, R>): boolean =>
    !other.settled && other.place.lane === place.lane && other.place.sequence < place.sequence;
  return batch.operations.some(precedes);
}
