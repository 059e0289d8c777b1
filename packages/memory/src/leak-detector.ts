import {
  ClosedError,
  type Clock,
  type Closeable,
  type StatsSource,
  checkClock,
  checkCount,
  checkDuration,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  systemClock,
} from '@perf/core';
import { CLOSED } from './errors.ts';
import { type LeakFindings, judgeGrowth } from './leak-verdict.ts';
import { oldGenerationUsed, threadHeapLimit } from './memory-reader.ts';
import type { TrendPoint } from './trend.ts';
import { type GcWatch, watchGc } from './watch-gc.ts';

/** Options of {@link LeakDetector}. */
export interface LeakDetectorOptions {
  /** Milliseconds from one sample to the next; the lowest reading in between counts. @default 60_000 */
  readonly interval?: number | undefined;
  /** How many samples to look at, from 8 to 1000. @default 60 */
  readonly window?: number | undefined;
  /** How many it takes for a verdict, from 8 to `window`. @default 12 */
  readonly minSamples?: number | undefined;
  /** Bytes that growth must come to over the window. @default 4 MiB */
  readonly minGrowth?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Names the detector in errors. @default 'default' */
  readonly name?: string | undefined;
}

/** What {@link LeakDetector.report} says. */
export interface LeakReport extends LeakFindings {
  /** Samples looked at. */
  readonly samples: number;
  /** Milliseconds from the first to the last of them. */
  readonly span: number;
  /** Bytes alive at the last of them; `undefined` without any. */
  readonly live: number | undefined;
  /** Milliseconds until the heap limit at this growth; `undefined` unless it is growing. */
  readonly timeToLimit: number | undefined;
}

/** What {@link LeakDetector.stats} reports. */
export interface LeakDetectorStats {
  /** Samples held. */
  readonly samples: number;
  /** Readings taken, after major collections or by `sample()`. */
  readonly readings: number;
}

const KNOWN = ['interval', 'window', 'minSamples', 'minGrowth', 'clock', 'name'] as const;

/**
 * Says whether what stays alive after major garbage collections grows.
 *
 * What it cannot know: whether the growth is meant (a cache that fills and has not reached its bound looks the same), what grows (take
 * two heap snapshots for that), anything outside of this thread's heap (buffers, native code, other threads), and anything at all
 * while V8 sees no need for a major collection.
 */
export class LeakDetector implements Closeable, StatsSource<LeakDetectorStats> {
  /** The name given in the options, `'default'` otherwise. */
  readonly name: string;
  readonly #interval: number;
  readonly #window: number;
  readonly #policy: { readonly minSamples: number; readonly minGrowth: number };
  readonly #clock: Clock;
  readonly #points: TrendPoint[] = [];
  #bucket: number | undefined;
  #readings = 0;
  #watch: GcWatch | undefined;
  #closed = false;

  /** @throws TypeError | RangeError when an option is unfit */
  constructor(options: LeakDetectorOptions = {}) {
    checkOptions('LeakDetector', options, KNOWN);
    const { interval = 60_000, window = 60, minGrowth = 4 * 2 ** 20, clock = systemClock, name = 'default' } = options;
    this.#interval = checkDuration('interval', interval);
    this.#window = checkPositiveInteger('window', checkRange('window', window, { min: 8, max: 1000 }));
    const { minSamples = Math.min(12, window) } = options;
    checkPositiveInteger('minSamples', checkRange('minSamples', minSamples, { min: 8, max: window }));
    this.#policy = { minSamples, minGrowth: checkCount('minGrowth', minGrowth) };
    this.#clock = checkClock('clock', clock);
    this.name = checkName('name', name);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Follows the major collections from now on. Does not cause any, and does not keep the process alive. Idempotent. Returns the detector.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  start(): this {
    this.#refuseIfClosed();
    this.#watch ??= watchGc(({ kind }) => {
      if (kind === 'major') this.sample();
    });
    return this;
  }

  /**
   * Takes one reading; for calls right after a collection of your own.
   * @param live bytes alive. @default what is in use in the old generation now
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  sample(live: number = oldGenerationUsed()): void {
    this.#refuseIfClosed();
    checkCount('live', live);
    this.#readings++;
    const at = this.#clock.now();
    const bucket = Math.floor(at / this.#interval);
    const last = this.#points.at(-1);
    if (bucket === this.#bucket && last !== undefined) {
      if (live < last.value) this.#points[this.#points.length - 1] = { at, value: live };
      return;
    }
    this.#bucket = bucket;
    this.#points.push({ at, value: live });
    if (this.#points.length > this.#window) this.#points.shift();
  }

  /** What the samples in the window say. O(window²): for a check every minute, not for every request. */
  report(): LeakReport {
    const findings = judgeGrowth(this.#points, this.#policy);
    const last = this.#points.at(-1);
    const perMs = findings.growthPerHour / 3_600_000;
    return {
      ...findings,
      samples: this.#points.length,
      span: last === undefined ? 0 : last.at - (this.#points[0] as TrendPoint).at,
      live: last?.value,
      timeToLimit:
        findings.verdict === 'growing' && last !== undefined
          ? Math.max(0, (threadHeapLimit() - last.value) / perMs)
          : undefined,
    };
  }

  /** A snapshot of the counters. */
  stats(): LeakDetectorStats {
    return { samples: this.#points.length, readings: this.#readings };
  }

  /** Stops following; `report()` still tells what was seen. Idempotent. */
  close(): Promise<void> {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#closed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new ClosedError(`LeakDetector ${JSON.stringify(this.name)}`, CLOSED);
  }
}
