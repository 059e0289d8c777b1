import {
  ClosedError,
  type Clock,
  type Closeable,
  type StatsSource,
  type Timer,
  checkFunction,
  checkOptions,
  checkRange,
  startTimer,
} from '@perf/core';
import { CLOSED } from './errors.ts';
import { ErrorReporter } from './error-reporter.ts';
import {
  type CheckedMemoryMonitorOptions,
  type MemoryMonitorOptions,
  checkMemoryMonitorOptions,
} from './memory-monitor-options.ts';
import type { MemorySample } from './memory-sample.ts';
import { observeMonitor } from './monitor-metrics.ts';
import { pressureOf } from './pressure.ts';
import { type PressureHandler, PressureHandlers } from './pressure-handlers.ts';
import { INITIAL_LEVEL, type LevelState, type PressureLevel, nextLevel, rankOf } from './pressure-level.ts';

/** What {@link MemoryMonitor.stats} reports. */
export interface MemoryMonitorStats {
  /** The level after the last sample. */
  readonly level: PressureLevel;
  /** The last sample; `undefined` before the first. */
  readonly last: MemorySample | undefined;
  /** Samples taken. */
  readonly samples: number;
  /** Registered handlers. */
  readonly handlers: number;
  /** How often the handlers were run. */
  readonly rounds: number;
  /** Handlers and readings that failed. */
  readonly errors: number;
}

/** Options of {@link MemoryMonitor.onPressure}. */
export interface OnPressureOptions {
  /** Handlers with the higher number run first; any finite number. @default 0 */
  readonly priority?: number | undefined;
}

/**
 * Watches how close the process is to its memory limits, and calls for help in time.
 *
 * A level rises with the first sample above its threshold, and falls only after the used share was clearly below it for a while.
 * Heap numbers are those of this thread: in a worker, make a monitor of its own. Resident and container memory is the whole process's.
 *
 * Inert until `start()`; a timer of its own never keeps the process alive.
 */
export class MemoryMonitor implements Closeable, StatsSource<MemoryMonitorStats> {
  /** The name given in the options, `'default'` otherwise. */
  readonly name: string;
  readonly #options: CheckedMemoryMonitorOptions;
  readonly #clock: Clock;
  readonly #errors: ErrorReporter;
  readonly #handlers: PressureHandlers;
  readonly #unobserve: () => void;
  #state: LevelState = INITIAL_LEVEL;
  #last: MemorySample | undefined;
  #samples = 0;
  #alarmedAt = -Infinity;
  #started = false;
  #timer: Timer | undefined;
  #closing: Promise<void> | undefined;

  /** @throws TypeError | RangeError when an option is unfit */
  constructor(options: MemoryMonitorOptions = {}) {
    this.#options = checkMemoryMonitorOptions(options);
    this.#clock = this.#options.clock;
    this.name = this.#options.name;
    this.#errors = new ErrorReporter(`MemoryMonitor ${JSON.stringify(this.name)}`, options.onError);
    this.#handlers = new PressureHandlers(this.#options.handlerTimeout, this.#errors);
    this.#unobserve = observeMonitor(this);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** The level after the last sample: a property read, for asking on every request. */
  get level(): PressureLevel {
    return this.#state.level;
  }

  /**
   * Has `handler` called when the level rises, and again every `repeatEvery` milliseconds while it does not fall. Not when it falls.
   *
   * Handlers run one after the other by priority, each for at most `handlerTimeout`; one that fails or hangs does not stop the others.
   * @returns a function that removes the handler; idempotent
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  onPressure(handler: PressureHandler, options: OnPressureOptions = {}): () => void {
    this.#refuseIfClosed();
    checkFunction('handler', handler);
    checkOptions('onPressure', options, ['priority']);
    const { priority = 0 } = options;
    checkRange('priority', priority, { min: -Number.MAX_VALUE, max: Number.MAX_VALUE });
    return this.#handlers.add(handler, priority);
  }

  /**
   * Takes a reading now, and acts on it as a periodic one: the level may change, and handlers are called.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   * @throws whatever the `source` throws
   */
  sample(): MemorySample {
    this.#refuseIfClosed();
    const now = this.#clock.now();
    const reading = this.#options.source.read(now);
    const pressure = pressureOf(reading, this.#options.limit);
    const previous = this.#state.level;
    this.#state = nextLevel(
      this.#state,
      { ratio: pressure.ratio, ceiling: pressure.unexplained ? 'elevated' : 'critical', now },
      this.#options.policy,
    );
    const limits = [reading.heapLimit, reading.containerLimit ?? Infinity, this.#options.limit ?? Infinity];
    const sample: MemorySample = { ...reading, ...pressure, level: this.#state.level, limit: Math.min(...limits) };
    this.#last = sample;
    this.#samples++;
    this.#alarm(sample, previous, now);
    return sample;
  }

  /**
   * Samples now and then every `interval` milliseconds, until `close()`. Idempotent. Returns the monitor.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  start(): this {
    this.#refuseIfClosed();
    if (this.#started) return this;
    this.#started = true;
    this.#options.source.start?.();
    this.#tick();
    return this;
  }

  /** A snapshot of the counters and of the last sample. */
  stats(): MemoryMonitorStats {
    return {
      level: this.#state.level,
      last: this.#last,
      samples: this.#samples,
      handlers: this.#handlers.size,
      rounds: this.#handlers.rounds,
      errors: this.#errors.count,
    };
  }

  /** Stops sampling, aborts the signal of the handler that runs, and forgets all handlers. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#unobserve();
    if (this.#started) this.#options.source.stop?.();
    await this.#handlers.stop(new ClosedError(this.#title(), CLOSED));
  }

  #title(): string {
    return `MemoryMonitor ${JSON.stringify(this.name)}`;
  }

  #refuseIfClosed(): void {
    if (this.closed) throw new ClosedError(this.#title(), CLOSED);
  }

  #tick(): void {
    try {
      this.sample();
    } catch (error) {
      this.#errors.report('source', error);
    }
    // A handler may have closed the monitor.
    if (!this.closed) this.#timer = startTimer(() => this.#tick(), this.#options.interval, { unref: true });
  }

  #alarm(sample: MemorySample, previous: PressureLevel, now: number): void {
    const { level } = sample;
    if (level === 'normal') return;
    const rose = rankOf(level) > rankOf(previous);
    const fell = rankOf(level) < rankOf(previous);
    if (!rose && (fell || now - this.#alarmedAt < this.#options.repeatEvery)) return;
    this.#alarmedAt = now;
    this.#handlers.raise({ level, previous, sample });
  }
}
