import { AsyncResource } from 'node:async_hooks';
import {
  AbortGroups,
  type Clock,
  type Closeable,
  ClosedError,
  type StatsSource,
  checkBoolean,
  checkClock,
  checkFunction,
  checkName,
  checkOptions,
  checkPositiveInteger,
  systemClock,
} from '@perf/core';
import { checkQueueLimit } from './check-waiting.ts';
import { PoolQueueFullError } from './errors.ts';
import { LimiterLease } from './limiter-lease.ts';
import {
  type LimiterCall,
  type LimiterCallOptions,
  type LimiterOptions,
  type LimiterStats,
  PLAIN_CALL,
  checkLimiterCall,
} from './limiter-options.ts';
import { LimiterTelemetry } from './limiter-telemetry.ts';
import { type LimiterWaiter, WaitingJob, WaitingLease } from './limiter-waiter.ts';
import { WaitQueue } from './wait-queue.ts';

const OPTIONS = ['maxConcurrent', 'maxQueue', 'name', 'clock'];

/** What runs one job after another would otherwise keep the async context of the first one's caller, and all it refers to. */
const NO_CONTEXT = new AsyncResource('perf.Limiter');

/**
 * An asynchronous semaphore: at most `maxConcurrent` at once, the others wait in order.
 *
 * The order is strict: something heavy at the head of the queue is not overtaken by something light behind it, so nothing starves.
 * A call costs O(1), O(log p) when p different priorities wait.
 */
export class Limiter implements Closeable, StatsSource<LimiterStats> {
  readonly #name: string;
  readonly #maxQueue: number;
  readonly #clock: Clock;
  readonly #waiters = new WaitQueue<LimiterWaiter>();
  readonly #signals = new AbortGroups<LimiterWaiter>((waiters, reason) => this.#abort(waiters, reason));
  readonly #telemetry: LimiterTelemetry;
  readonly #stopObserving: () => void;
  readonly #ended = Promise.withResolvers<void>();
  readonly #giveBack = (weight: number): void => this.#release(weight);
  /** Jobs whose turn has come, until the next microtask. */
  #starting: WaitingJob[] = [];
  #maxConcurrent: number;
  #closed = false;
  #inUse = 0;
  #running = 0;
  #completed = 0;
  #refused = 0;
  #aborted = 0;

  /** @throws RangeError, TypeError for a bad option */
  constructor(options: LimiterOptions) {
    checkOptions('Limiter', options, OPTIONS);
    const { maxConcurrent, maxQueue = Infinity, name = 'limiter', clock = systemClock } = options;
    this.#maxConcurrent = checkPositiveInteger('maxConcurrent', maxConcurrent);
    this.#maxQueue = checkQueueLimit('maxQueue', maxQueue);
    this.#name = checkName('name', name);
    this.#clock = checkClock('clock', clock);
    this.#telemetry = new LimiterTelemetry(name);
    this.#stopObserving = this.#telemetry.observe(this);
  }

  /** How much may run at once. A smaller value cancels nothing, a larger one lets waiters run at once. */
  get maxConcurrent(): number {
    return this.#maxConcurrent;
  }

  set maxConcurrent(value: number) {
    this.#maxConcurrent = checkPositiveInteger('maxConcurrent', value);
    this.#grant();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Runs `fn` at once if there is room, else when its turn has come; in the async context of this call; and gives the turn on when its promise settles.
   *
   * Rejects with what `fn` throws, with `signal.reason`, a {@link PoolQueueFullError} or a `ClosedError`.
   */
  run<R>(fn: () => R | PromiseLike<R>, options?: LimiterCallOptions): Promise<Awaited<R>> {
    try {
      checkFunction('fn', fn);
      const call = this.#admit(options);
      if (this.#hasRoom(call.weight)) return this.#runNow(fn, call.weight);
      const job = new WaitingJob(fn, call);
      this.#wait(job);
      return job.promise() as Promise<Awaited<R>>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Waits for a turn and holds it until the lease is released.
   *
   * Rejects with `signal.reason`, a {@link PoolQueueFullError} or a `ClosedError`; with a `RangeError` when `weight` is more than the limit.
   */
  async acquire(options?: LimiterCallOptions): Promise<LimiterLease> {
    const call = this.#admit(options);
    if (this.#hasRoom(call.weight)) return this.#lease(call.weight);
    const waiter = new WaitingLease(call);
    this.#wait(waiter);
    return waiter.promise;
  }

  /** A function that runs `fn` through this limiter. */
  wrap<Args extends unknown[], R>(
    fn: (...args: Args) => R | PromiseLike<R>,
    options?: LimiterCallOptions,
  ): (...args: Args) => Promise<Awaited<R>> {
    checkFunction('fn', fn);
    return (...args) => this.run(() => fn(...args), options);
  }

  stats(): LimiterStats {
    return {
      maxConcurrent: this.#maxConcurrent,
      inUse: this.#inUse,
      running: this.#running,
      waiting: this.#waiters.size,
      completed: this.#completed,
      refused: this.#refused,
      aborted: this.#aborted,
    };
  }

  /**
   * Refuses new calls and resolves when everything that waits or runs is done.
   * @param options.force refuses those that wait, too, with a `ClosedError`. @default false
   */
  async close(options: { readonly force?: boolean } = {}): Promise<void> {
    checkOptions('close', options, ['force']);
    const force = checkBoolean('force', options.force ?? false);
    this.#closed = true;
    if (force) {
      for (let waiter = this.#waiters.shift(); waiter; waiter = this.#waiters.shift()) {
        this.#signals.delete(waiter.call.signal, waiter);
        waiter.reject(this.#closedError());
      }
    }
    this.#endWhenIdle();
    return this.#ended.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Throws unless the call can run now or wait. */
  #admit(options: LimiterCallOptions | undefined): LimiterCall {
    const call = options === undefined ? PLAIN_CALL : checkLimiterCall(options, this.#maxConcurrent);
    if (this.#closed) throw this.#closedError();
    call.signal?.throwIfAborted();
    if (this.#waiters.size >= this.#maxQueue && !this.#hasRoom(call.weight)) {
      this.#refused++;
      throw new PoolQueueFullError(`limiter '${this.#name}'`, { pending: this.#waiters.size, limit: this.#maxQueue });
    }
    return call;
  }

  #hasRoom(weight: number): boolean {
    return this.#waiters.size === 0 && this.#fits(weight);
  }

  #fits(weight: number): boolean {
    // After the limit shrank, something heavier than all of it runs alone rather than never.
    return this.#inUse + weight <= this.#maxConcurrent || this.#inUse === 0;
  }

  #wait(waiter: LimiterWaiter): void {
    const now = this.#clock.now();
    // Whole milliseconds are precise enough for aging, and spare an allocation for each waiter.
    this.#waiters.push(waiter, waiter.call.priority, this.#telemetry.enabled ? now : Math.trunc(now));
    this.#signals.add(waiter.call.signal, waiter);
  }

  #abort(waiters: readonly LimiterWaiter[], reason: unknown): void {
    this.#aborted += waiters.length;
    for (const waiter of waiters) {
      this.#waiters.remove(waiter);
      waiter.reject(reason);
    }
    // A heavy one may have kept light ones waiting.
    this.#grant();
  }

  #take(weight: number): void {
    this.#inUse += weight;
    this.#running++;
  }

  #lease(weight: number): LimiterLease {
    this.#take(weight);
    return new LimiterLease(weight, this.#giveBack);
  }

  #release(weight: number): void {
    this.#free(weight);
    this.#grant();
  }

  #free(weight: number): void {
    this.#inUse -= weight;
    this.#running--;
    this.#completed++;
  }

  async #runNow<R>(fn: () => R | PromiseLike<R>, weight: number): Promise<Awaited<R>> {
    this.#take(weight);
    try {
      return await fn();
    } finally {
      this.#release(weight);
    }
  }

  /** Gives turns to as many as fit. Whoever calls gets no foreign function run inside that call: jobs start in a microtask. */
  #grant(): void {
    for (let next = this.#waiters.peek(); next && this.#fits(next.call.weight); next = this.#waiters.peek()) {
      this.#leaveQueue(next);
      if (next instanceof WaitingJob) {
        this.#take(next.call.weight);
        if (this.#starting.push(next) === 1) queueMicrotask(() => this.#start());
      } else next.resolve(this.#lease(next.call.weight));
    }
    this.#endWhenIdle();
  }

  #leaveQueue(waiter: LimiterWaiter): void {
    this.#waiters.remove(waiter);
    this.#signals.delete(waiter.call.signal, waiter);
    if (this.#telemetry.enabled) this.#telemetry.waited(this.#clock.now() - waiter.since);
  }

  #start(): void {
    const jobs = this.#starting;
    this.#starting = [];
    NO_CONTEXT.runInAsyncScope(() => {
      for (const job of jobs) void this.#work(job);
    });
  }

  /** Runs a job, and then those that get its turn: no promise, no microtask and no closure for each but its own. */
  async #work(first: WaitingJob): Promise<void> {
    for (let job: WaitingJob | undefined = first; job !== undefined; job = this.#passOn(job.call.weight)) {
      try {
        job.resolve(await job.start());
      } catch (error) {
        job.reject(error);
      }
    }
  }

  /** Ends a turn. Returns the job that gets it, if it is one whose turn has come, and nothing else has to start first. */
  #passOn(weight: number): WaitingJob | undefined {
    this.#free(weight);
    const next = this.#waiters.peek();
    if (!(next instanceof WaitingJob) || this.#starting.length > 0 || !this.#fits(next.call.weight)) {
      this.#grant();
      return undefined;
    }
    this.#leaveQueue(next);
    this.#take(next.call.weight);
    // More than one may fit where a heavy one was, or behind one that kept lighter ones waiting.
    this.#grant();
    return next;
  }

  #endWhenIdle(): void {
    if (!this.#closed || this.#running > 0 || this.#waiters.size > 0) return;
    this.#stopObserving();
    this.#ended.resolve();
  }

  #closedError(): ClosedError {
    return new ClosedError(`limiter '${this.#name}'`, 'PERF_POOL_CLOSED');
  }
}
