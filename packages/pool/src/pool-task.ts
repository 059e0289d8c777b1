import type { Transferable } from 'node:worker_threads';
import { type AbortGroups, type Timer, startTimer } from '@perf/core';
import type { Call } from './call-table.ts';
import type { Reaction } from './decode-thrown.ts';
import type { Carried, Outcome } from './frame.ts';
import { failureError } from './read-reply.ts';
import { Waiting } from './wait-queue.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** Which tasks end with which signal. */
export type TaskSignals = AbortGroups<PoolTask>;

/** What is asked of a pool. */
export interface TaskRequest {
  /** Many tasks may share this one: what a task alone takes with it is less to keep. */
  readonly how: TaskManner;
  /** What to call it with. */
  readonly item: unknown;
  readonly carried: Carried | undefined;
}

/** How a task is to be run. */
export interface TaskManner {
  readonly call: Call;
  /** Milliseconds from the start, or from the submission. */
  readonly timeout: number;
  readonly timeoutFrom: 'start' | 'submit';
  readonly priority: number;
  /** Whether it may be started again when its worker is lost. */
  readonly restartable: boolean;
  readonly transferList?: readonly Transferable[] | undefined;
  /** Ends it, whether it waits or runs. */
  readonly signal?: AbortSignal | undefined;
  /** Ends it only while it waits. */
  readonly waitSignal?: AbortSignal | undefined;
}

/** Something that was submitted: waiting, then sent to a worker, then settled, exactly once. */
export class PoolTask extends Waiting {
  readonly how: TaskManner;
  readonly item: unknown;
  readonly carried: Carried | undefined;
  readonly promise: Promise<unknown>;
  readonly submittedAt: number;
  /** Whether it counts for the limit of the queue. */
  isBounded = true;
  state: 'waiting' | 'sent' | 'settled' = 'waiting';
  /** Where it was sent. */
  slot: WorkerSlot | undefined;
  sequence = 0;
  /** How many workers ended when it was their turn to start it, or, if it is restartable, while they ran it. */
  unlucky = 0;
  readonly #signals: TaskSignals;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #timer: Timer | undefined;

  constructor(request: TaskRequest, now: number, signals: TaskSignals) {
    super();
    this.how = request.how;
    this.item = request.item;
    this.carried = request.carried;
    this.submittedAt = now;
    this.#signals = signals;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signals.add(this.how.signal, this);
    signals.add(this.how.waitSignal, this);
  }

  get call(): Call {
    return this.how.call;
  }

  get transferList(): readonly Transferable[] | undefined {
    return this.how.transferList;
  }

  /** Milliseconds it may run. */
  get timeout(): number {
    return this.how.timeoutFrom === 'start' ? this.how.timeout : Infinity;
  }

  /** It cannot share a frame: nobody knows how long a chunk takes, and a list of what to move can be wrong. */
  get isAlone(): boolean {
    return this.transferList !== undefined || this.call.mode !== 'one';
  }

  /** What it moves is gone with the first message, so that it cannot be sent again. */
  get moves(): boolean {
    return this.transferList !== undefined && this.transferList.length > 0;
  }

  /** Ends it at `timeout` milliseconds from now, whether it waits or runs. */
  limit(onTimeout: () => void): void {
    if (this.how.timeoutFrom === 'submit') this.#timer = startTimer(onTimeout, this.how.timeout);
  }

  /** It leaves the queue for a worker. */
  send(slot: WorkerSlot, sequence: number): void {
    this.state = 'sent';
    this.slot = slot;
    this.sequence = sequence;
    this.#signals.delete(this.how.waitSignal, this);
  }

  /** It goes back to the queue: it was not started, or may be started again. */
  unsend(): void {
    this.state = 'waiting';
    this.slot = undefined;
    this.#signals.add(this.how.waitSignal, this);
  }

  settle(outcome: Outcome): void {
    const failure = outcome[1];
    if (failure !== undefined) {
      this.fail((reaction) => failureError(failure, this.call, reaction));
      return;
    }
    this.#end();
    this.#resolve(outcome[0]);
  }

  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  /**
   * Rejects with an error that is made where V8 knows who awaits the promise: within a reaction whose promise this one follows. Its stack tells of the
   * asynchronous callers, which would otherwise have to be captured with each task.
   */
  fail(make: (reaction: Reaction) => unknown): void {
    this.#end();
    const raise = (): never => {
      throw make(raise);
    };
    // One turn of the microtask queue later, this one follows the other.
    this.#resolve(Promise.resolve().then(nothing).then(raise));
  }

  #end(): void {
    this.state = 'settled';
    this.#timer?.cancel();
    this.#signals.delete(this.how.signal, this);
    this.#signals.delete(this.how.waitSignal, this);
  }
}

function nothing(): void {}
