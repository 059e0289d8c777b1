import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import {
  type Closeable,
  LazyMeter,
  type StatsSource,
  type Timer,
  checkBoolean,
  checkName,
  checkOptions,
  checkPositiveInteger,
  startTimer,
} from '@perf/core';
import { observeEventLoop } from './event-loop-metrics.ts';

/** Options of {@link EventLoopMonitor}. */
export interface EventLoopMonitorOptions {
  /** Names the monitor in telemetry. */
  readonly name?: string;
  /** Milliseconds between two looks at the loop, a whole number. Shorter delays than this are not seen well. @default 10 */
  readonly resolution?: number;
  /** Whether to report to OpenTelemetry; off where another instrumentation reports `nodejs.eventloop.*`. @default true */
  readonly metrics?: boolean;
}

/** How late the event loop ran, in milliseconds. All `NaN` until the first look. */
export interface EventLoopDelay {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** What {@link EventLoopMonitor.stats} reports: the time since the start or the last `reset()`. */
export interface EventLoopStats {
  /**
   * Beyond the time a timer takes anyway. A block of the loop is one look that comes late, however long it is: `max` shows it, the quantiles hardly do.
   * The first look after the start or a `reset()` only begins the measuring: a block before it is not seen.
   */
  readonly delay: EventLoopDelay;
  /** The share of time the loop was not waiting for events, from 0 to 1. Blocking system calls count as busy. */
  readonly utilization: number;
  /** Milliseconds not waiting. */
  readonly active: number;
  /** Milliseconds waiting. */
  readonly idle: number;
}

/** How often a monitor looks whether an OpenTelemetry SDK has been registered, in milliseconds. */
const SDK_CHECK = 1000;
const NANOS = 1e6;

/** Watches the event loop of this thread from its construction to `close()`. It keeps no process alive, but wakes an idle loop at its resolution. */
export class EventLoopMonitor implements Closeable, StatsSource<EventLoopStats> {
  /** The option; `undefined` when none was given. */
  readonly name: string | undefined;
  readonly #resolution: number;
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;
  readonly #meter: LazyMeter = new LazyMeter('@perf/profiler');
  #stopMetrics: (() => void) | undefined;
  #sdkCheck: Timer | undefined;
  #since: EventLoopUtilization;
  #closed = false;
  #last: EventLoopStats | undefined;

  /** @throws TypeError or RangeError for an option that is unknown or out of range */
  constructor(options: EventLoopMonitorOptions = {}) {
    checkOptions('EventLoopMonitor', options, ['name', 'resolution', 'metrics']);
    const { name, resolution = 10, metrics = true } = options;
    this.name = name === undefined ? undefined : checkName('name', name);
    this.#resolution = checkPositiveInteger('resolution', resolution);
    this.#histogram = monitorEventLoopDelay({ resolution });
    this.#histogram.enable();
    this.#since = performance.eventLoopUtilization();
    if (!checkBoolean('metrics', metrics)) return;
    this.#stopMetrics = observeEventLoop(this.#meter, this);
    this.#awaitSdk();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A fresh snapshot; after `close()`, the last one. */
  stats(): EventLoopStats {
    if (this.#last !== undefined) return this.#last;
    const { utilization, active, idle } = performance.eventLoopUtilization(this.#since);
    return { delay: this.#delay(), utilization, active, idle };
  }

  /** Begins anew: `stats()` tells of the time from now on. */
  reset(): void {
    if (this.#closed) return;
    this.#histogram.reset();
    this.#since = performance.eventLoopUtilization();
  }

  /** Stops watching. Idempotent. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#last = this.stats();
      this.#closed = true;
      this.#histogram.disable();
      this.#sdkCheck?.cancel();
      this.#stopMetrics?.();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #delay(): EventLoopDelay {
    const histogram = this.#histogram;
    const empty = histogram.count === 0;
    // What is measured is the time between two timers, which without any delay is the resolution.
    const late = (nanos: number): number => (empty ? NaN : Math.max(0, nanos / NANOS - this.#resolution));
    return {
      min: late(histogram.min),
      max: late(histogram.max),
      mean: late(histogram.mean),
      stddev: empty ? NaN : histogram.stddev / NANOS,
      p50: late(histogram.percentile(50)),
      p90: late(histogram.percentile(90)),
      p99: late(histogram.percentile(99)),
    };
  }

  /** Nothing calls a monitor that could notice an SDK registered later, so it looks itself until there is one. */
  #awaitSdk(): void {
    if (this.#closed || this.#meter.current() !== undefined) return;
    this.#sdkCheck = startTimer(() => this.#awaitSdk(), SDK_CHECK, { unref: true });
  }
}
