import {
  type Clock,
  type Closeable,
  ClosedError,
  type StatsSource,
  TimeoutError,
  checkClock,
  checkFunction,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  checkSignal,
  systemClock,
} from '@perf/core';
import { LimitExceededError } from './errors.ts';
import { type GradientBounds, type GradientState, initialGradient, nextGradient } from './gradient-limit.ts';
import { LatencyWindow } from './latency-window.ts';
import { LimiterTelemetry } from './limiter-telemetry.ts';

/** Options of an {@link AdaptiveLimiter}. */
export interface AdaptiveLimiterOptions {
  /** The limit never goes below. @default 1 */
  readonly minLimit?: number;
  /** The limit never goes above. @default 1000 */
  readonly maxLimit?: number;
  /** Where it starts. @default 20, or the nearest to it within the bounds */
  readonly initialLimit?: number;
  /** How many times its unloaded latency a call may take before the limit shrinks, from 1 to 10. @default 1.06 */
  readonly tolerance?: number;
  /** Whether an error means that the other side is overloaded. @default any `TimeoutError` */
  readonly isOverload?: (error: unknown) => boolean;
  /** Names the limiter in errors and metrics. @default 'adaptive-limiter' */
  readonly name?: string;
  /** The source of time latencies are measured with. @default the process's monotonic clock */
  readonly clock?: Clock;
}

/** Options of one call of an {@link AdaptiveLimiter}. */
export interface AdaptiveCallOptions {
  /** A call whose signal has aborted is not started. The latency of one that aborts while it runs is not counted. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link AdaptiveLimiter.stats} reports. */
export interface AdaptiveLimiterStats {
  /** How many may run at once now. */
  readonly limit: number;
  /** How many run now. */
  readonly running: number;
  /** How many have ended, however they did. */
  readonly completed: number;
  /** How many were refused at once. */
  readonly shed: number;
  /** How many ended in overload. */
  readonly overloaded: number;
  /** Milliseconds a call takes while the other side has room; `NaN` before it is known. */
  readonly baseline: number;
}

const OPTIONS = ['minLimit', 'maxLimit', 'initialLimit', 'tolerance', 'isOverload', 'name', 'clock'];
const NO_OPTIONS: AdaptiveCallOptions = {};

/**
 * Finds by itself how many calls the other side takes at once: it raises the limit while their latency stays flat, lowers it when
 * latency rises or calls time out, and refuses what is above it at once, so that an overloaded service keeps doing useful work.
 *
 * See `gradient-limit.ts` for the policy and where it comes from.
 */
export class AdaptiveLimiter implements Closeable, StatsSource<AdaptiveLimiterStats> {
  readonly #name: string;
  readonly #bounds: GradientBounds;
  readonly #isOverload: (error: unknown) => boolean;
  readonly #clock: Clock;
  readonly #window = new LatencyWindow();
  readonly #telemetry: LimiterTelemetry;
  readonly #stopObserving: () => void;
  readonly #ended = Promise.withResolvers<void>();
  #state: GradientState;
  #closed = false;
  #running = 0;
  #completed = 0;
  #shed = 0;
  #overloaded = 0;

  /** @throws RangeError, TypeError for a bad option */
  constructor(options: AdaptiveLimiterOptions = {}) {
    checkOptions('AdaptiveLimiter', options, OPTIONS);
    const { minLimit = 1, maxLimit = 1000, tolerance = 1.06, isOverload = isTimeout } = options;
    const { name = 'adaptive-limiter', clock = systemClock } = options;
    checkPositiveInteger('minLimit', minLimit);
    checkRange('maxLimit', checkPositiveInteger('maxLimit', maxLimit), { min: minLimit, max: Number.MAX_SAFE_INTEGER });
    checkRange('tolerance', tolerance, { min: 1, max: 10 });
    const { initialLimit = Math.max(minLimit, Math.min(maxLimit, 20)) } = options;
    checkRange('initialLimit', initialLimit, { min: minLimit, max: maxLimit });
    this.#bounds = { minLimit, maxLimit, tolerance };
    this.#isOverload = checkFunction('isOverload', isOverload);
    this.#name = checkName('name', name);
    this.#clock = checkClock('clock', clock);
    this.#state = initialGradient(initialLimit);
    this.#telemetry = new LimiterTelemetry(name);
    this.#stopObserving = this.#telemetry.observeAdaptive(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many may run at once now. */
  get limit(): number {
    return Math.floor(this.#state.limit);
  }

  /**
   * Runs `fn` at once, or refuses it with a {@link LimitExceededError}; nothing waits.
   *
   * Rejects with what `fn` throws, with `signal.reason` when it was aborted before, or with a `ClosedError`.
   */
  async run<R>(fn: () => R | PromiseLike<R>, options: AdaptiveCallOptions = NO_OPTIONS): Promise<Awaited<R>> {
    checkFunction('fn', fn);
    if (options !== NO_OPTIONS) checkOptions('a call of AdaptiveLimiter', options, ['signal']);
    if (options.signal !== undefined) checkSignal('signal', options.signal);
    if (this.#closed) throw new ClosedError(`limiter '${this.#name}'`, 'PERF_POOL_CLOSED');
    options.signal?.throwIfAborted();
    if (this.#running >= this.limit) {
      this.#shed++;
      throw new LimitExceededError(`limiter '${this.#name}'`, { limit: this.limit, retryAfter: this.#retryAfter() });
    }
    const startedAt = this.#clock.now();
    const ticket = this.#window.start(++this.#running);
    try {
      const result = await fn();
      if (options.signal?.aborted !== true) this.#succeeded(ticket, this.#clock.now() - startedAt);
      return result;
    } catch (error) {
      if (options.signal?.aborted !== true) this.#failed(ticket, error);
      throw error;
    } finally {
      this.#running--;
      this.#completed++;
      this.#adapt();
    }
  }

  /** A function that runs `fn` through this limiter. */
  wrap<Args extends unknown[], R>(
    fn: (...args: Args) => R | PromiseLike<R>,
    options?: AdaptiveCallOptions,
  ): (...args: Args) => Promise<Awaited<R>> {
    checkFunction('fn', fn);
    return (...args) => this.run(() => fn(...args), options);
  }

  stats(): AdaptiveLimiterStats {
    return {
      limit: this.limit,
      running: this.#running,
      completed: this.#completed,
      shed: this.#shed,
      overloaded: this.#overloaded,
      baseline: this.#state.baseline ?? NaN,
    };
  }

  /** Refuses new calls and resolves when those that run have ended. */
  close(): Promise<void> {
    this.#closed = true;
    this.#endWhenIdle();
    return this.#ended.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #succeeded(ticket: number, latency: number): void {
    this.#window.succeed(ticket, latency);
    if (this.#telemetry.enabled) this.#telemetry.ran(latency);
  }

  #failed(ticket: number, error: unknown): void {
    let overload = false;
    try {
      overload = this.#isOverload(error);
    } catch {
      // The caller gets the error of the call, not one of its classification.
    }
    if (!overload) return;
    this.#overloaded++;
    this.#window.overload(ticket);
  }

  #adapt(): void {
    const seen = this.#window.take(this.limit, this.#running);
    if (seen !== undefined) {
      this.#state = nextGradient(this.#state, seen, { ...this.#bounds, random: Math.random() });
      if (this.#state.probe !== undefined) this.#window.countNewOnly();
    }
    this.#endWhenIdle();
  }

  #retryAfter(): number {
    return Math.max(1, Math.ceil(this.#window.lastLatency ?? this.#state.baseline ?? 100));
  }

  #endWhenIdle(): void {
    if (!this.#closed || this.#running > 0) return;
    this.#stopObserving();
    this.#ended.resolve();
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof TimeoutError || (error instanceof Error && error.name === 'TimeoutError');
}
