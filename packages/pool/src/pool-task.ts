import type { Transferable } from 'node:worker_threads';
import { type AbortGroups, type Timer, startTimer } from '@perf/core';
import type { Reply } from './frame.ts';
import { Waiting } from './wait-queue.ts';

/** Which tasks end with which signal. */
export type TaskSignals = AbortGroups<PoolTask>;

/** What is asked of a pool. */
export interface TaskRequest {
  /** The module. */
  readonly url: string;
  /** The export to call. */
  readonly name: string;
  /** What to call it with, one after the other, on one worker. */
  readonly items: readonly unknown[];
  /** Milliseconds from the start. */
  readonly timeout: number;
  readonly priority: number;
  readonly transferList?: readonly Transferable[] | undefined;
  /** Ends it, whether it waits or runs. */
  readonly signal?: AbortSignal | undefined;
  /** Ends it only while it waits. */
  readonly waitSignal?: AbortSignal | undefined;
  /** Makes of the reply what the task resolves with; what it throws, the task rejects with. */
  readonly read: (reply: Reply, request: TaskRequest) => unknown;
}

/** Something that was submitted: waiting, then running, then settled, exactly once. */
export class PoolTask extends Waiting {
  readonly request: TaskRequest;
  readonly promise: Promise<unknown>;
  readonly submittedAt: number;
  startedAt = 0;
  state: 'waiting' | 'running' | 'settled' = 'waiting';
  /** How many workers ended before they started it. */
  unlucky = 0;
  readonly #signals: TaskSignals;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #timer: Timer | undefined;

  constructor(request: TaskRequest, now: number, signals: TaskSignals) {
    super();
    this.request = request;
    this.submittedAt = now;
    this.#signals = signals;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signals.add(request.signal, this);
    signals.add(request.waitSignal, this);
  }

  /** It leaves the queue for a worker. */
  start(now: number, onTimeout: () => void): void {
    this.state = 'running';
    this.startedAt = now;
    this.#signals.delete(this.request.waitSignal, this);
    this.#timer = startTimer(onTimeout, this.request.timeout);
  }

  /** It goes back to the queue: its worker ended before it could start. */
  unstart(): void {
    this.state = 'waiting';
    this.unlucky++;
    this.#timer?.cancel();
    this.#signals.add(this.request.waitSignal, this);
  }

  resolve(reply: Reply): void {
    this.#settle();
    try {
      this.#resolve(this.request.read(reply, this.request));
    } catch (error) {
      this.#reject(error);
    }
  }

  reject(reason: unknown): void {
    this.#settle();
    this.#reject(reason);
  }

  #settle(): void {
    this.state = 'settled';
    this.#timer?.cancel();
    this.#signals.delete(this.request.signal, this);
    this.#signals.delete(this.request.waitSignal, this);
  }
}
