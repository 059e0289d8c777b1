import {
  AbortGroups,
  type Clock,
  type Closeable,
  ClosedError,
  LazyMeter,
  type StatsSource,
  checkClock,
  checkFunction,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkSignal,
  systemClock,
} from '@perf/core';
import { checkPriority, checkQueueLimit } from './check-waiting.ts';
import { PoolQueueFullError } from './errors.ts';
import { LimiterLease } from './limiter-lease.ts';
import { observeLimiter } from './limiter-telemetry.ts';
import { WaitQueue, Waiting } from './wait-queue.ts';

/** Options of a {@link Limiter}. */
export interface LimiterOptions {
  /** The sum of the weights that run at once. Can be changed later. */
  readonly maxConcurrent: number;
  /** How many may wait; one more is refused with a {@link PoolQueueFullError}. @default Infinity */
  readonly maxQueue?: number;
  /** Names the limiter in errors and metrics. @default 'limiter' */
  readonly name?: string;
  /** The source of time, for aging. @default the process's monotonic clock */
  readonly clock?: Clock;
}

/** Options of one call of a {@link Limiter}. */
export interface LimiterCallOptions {
  /** Ends the wait at once, with `signal.reason`; it does not stop a function that already runs. */
  readonly signal?: AbortSignal | undefined;
  /** Who goes first: one point is worth one second of waiting. Any finite number. @default 0 */
  readonly priority?: number;
  /** How much of `maxConcurrent` it takes; at most all of it. @default 1 */
  readonly weight?: number;
}

/** What {@link Limiter.stats} reports. */
export interface LimiterStats {
  readonly maxConcurrent: number;
  /** The sum of the weights held now. */
  readonly inUse: number;
  /** How many hold a lease or run now. */
  readonly running: number;
  /** How many wait now. */
  readonly waiting: number;
  /** How many leases have been given back. */
  readonly completed: number;
  /** How many were refused because `maxQueue` were waiting. */
  readonly refused: number;
  /** How many stopped waiting because their signal aborted. */
  readonly aborted: number;
}

const OPTIONS = ['maxConcurrent', 'maxQueue', 'name', 'clock'];
const CALL_OPTIONS = ['signal', 'priority', 'weight'];
const NO_OPTIONS: LimiterCallOptions = {};

/**
 * An asynchronous semaphore: at most `maxConcurrent` at once, the others wait in order.
 *
 * The order is strict: something heavy at the head of the queue is not overtaken by something light behind it, so nothing starves.
 */
export class Limiter implements Closeable, StatsSource<LimiterStats> {
  readonly #name: string;
  readonly #maxQueue: number;
  readonly #clock: Clock;
  readonly #waiters = new WaitQueue<Waiter>();
  readonly #signals = new AbortGroups<Waiter>((waiters, reason) => this.#abort(waiters, reason));
  readonly #meter = new LazyMeter('@perf/pool');
  readonly #stopObserving: () => void;
  readonly #ended = Promise.withResolvers<void>();
  readonly #giveBack = (weight: number): void => this.#release(weight);
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
    this.#stopObserving = observeLimiter(this.#meter, this, name);
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
   * Runs `fn` when its turn has come, in the async context of this call, and gives the turn on when its promise settles.
   *
   * Rejects with what `fn` throws, with `signal.reason`, a {@link PoolQueueFullError} or a `ClosedError`.
   */
  async run<R>(fn: () => R | PromiseLike<R>, options: LimiterCallOptions = NO_OPTIONS): Promise<Awaited<R>> {
    checkFunction('fn', fn);
    const lease = await this.acquire(options);
    try {
      // The signal may have aborted after the turn was given and before this line.
      options.signal?.throwIfAborted();
      return await fn();
    } finally {
      lease.release();
    }
  }

  /**
   * Waits for a turn and holds it until the lease is released.
   *
   * Rejects with `signal.reason`, a {@link PoolQueueFullError} or a `ClosedError`; with a `RangeError` when `weight` is more than the limit.
   */
  async acquire(options: LimiterCallOptions = NO_OPTIONS): Promise<LimiterLease> {
    if (options !== NO_OPTIONS) checkOptions('a call of Limiter', options, CALL_OPTIONS);
    const { signal, priority = 0, weight = 1 } = options;
    checkPriority(priority);
    if (checkPositiveInteger('weight', weight) > this.#maxConcurrent) {
      throw new RangeError(`\`weight\` must be at most the limit of ${this.#maxConcurrent}, got ${weight}`);
    }
    if (signal !== undefined) checkSignal('signal', signal);
    if (this.#closed) throw this.#closedError();
    signal?.throwIfAborted();
    this.#meter.current();
    if (this.#waiters.size === 0 && this.#fits(weight)) return this.#take(weight);
    if (this.#waiters.size >= this.#maxQueue) {
      this.#refused++;
      throw new PoolQueueFullError(`limiter '${this.#name}'`, { pending: this.#waiters.size, limit: this.#maxQueue });
    }
    const waiter = new Waiter(weight, signal);
    this.#waiters.push(waiter, priority, this.#clock.now());
    this.#signals.add(signal, waiter);
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
  close(options: { readonly force?: boolean } = {}): Promise<void> {
    this.#closed = true;
    if (options.force === true) {
      for (let waiter = this.#waiters.shift(); waiter; waiter = this.#waiters.shift()) {
        this.#signals.delete(waiter.signal, waiter);
        waiter.reject(this.#closedError());
      }
    }
    this.#endWhenIdle();
    return this.#ended.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #abort(waiters: readonly Waiter[], reason: unknown): void {
    this.#aborted += waiters.length;
    for (const waiter of waiters) {
      this.#waiters.remove(waiter);
      waiter.reject(reason);
    }
    // A heavy one may have kept light ones waiting.
    this.#grant();
  }

  #fits(weight: number): boolean {
    // After the limit shrank, something heavier than all of it runs alone rather than never.
    return this.#inUse + weight <= this.#maxConcurrent || this.#inUse === 0;
  }

  #take(weight: number): LimiterLease {
    this.#inUse += weight;
    this.#running++;
    return new LimiterLease(weight, this.#giveBack);
  }

  #release(weight: number): void {
    this.#inUse -= weight;
    this.#running--;
    this.#completed++;
    this.#grant();
  }

  #grant(): void {
    for (let next = this.#waiters.peek(); next && this.#fits(next.weight); next = this.#waiters.peek()) {
      this.#waiters.remove(next);
      this.#signals.delete(next.signal, next);
      next.resolve(this.#take(next.weight));
    }
    this.#endWhenIdle();
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

class Waiter extends Waiting {
  readonly weight: number;
  readonly signal: AbortSignal | undefined;
  readonly promise: Promise<LimiterLease>;
  resolve!: (lease: LimiterLease) => void;
  reject!: (reason: unknown) => void;

  constructor(weight: number, signal: AbortSignal | undefined) {
    super();
    this.weight = weight;
    this.signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
