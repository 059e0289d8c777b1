import { Histogram, type Closeable, type StatsSource, checkFunction, checkOptions } from '@perf/core';
import type { Attributes } from '@opentelemetry/api';
import { ErrorReporter, type OnCallbackError } from './error-reporter.ts';
import { GC_KINDS, type GcKind } from './gc-kind.ts';
import { meter } from './meter.ts';
import { type GcEvent, type GcWatch, watchGc } from './watch-gc.ts';

/** Options of {@link observeGc}. */
export interface ObserveGcOptions {
  /** Called with each collection, some time after it. */
  readonly onGc?: ((event: GcEvent) => void) | undefined;
  /** Hears what `onGc` throws. @default one process warning for the first */
  readonly onError?: OnCallbackError | undefined;
}

/** The collections of one kind; times in milliseconds, 0 while there was none. */
export interface GcKindStats {
  readonly count: number;
  readonly total: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What {@link GcObserver.stats} reports. */
export interface GcStats {
  /** Collections seen, of all kinds. */
  readonly count: number;
  /** Milliseconds they took. */
  readonly total: number;
  /** The share of the time since the observation began, from 0 to 1. */
  readonly share: number;
  readonly kinds: Readonly<Record<GcKind, GcKindStats>>;
}

/** A running observation of this thread's garbage collections; see {@link observeGc}. */
export interface GcObserver extends Closeable, StatsSource<GcStats> {
  /** A copy of the pause times of one kind, in milliseconds; merge it with others, or ask it for any quantile. */
  histogram(kind: GcKind): Histogram;
}

const duration = /* @__PURE__ */ meter.histogram('v8js.gc.duration', {
  unit: 's',
  description: 'Garbage collection duration',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
});

/**
 * Counts and times this thread's garbage collections from now on, by kind, in constant memory. Exports `v8js.gc.duration`.
 * Node.js tells of a collection when the event loop turns: those of the turn that closes the observer are not counted.
 * Does not keep the process alive.
 */
export function observeGc(options: ObserveGcOptions = {}): GcObserver {
  checkOptions('observeGc', options, ['onGc', 'onError']);
  if (options.onGc !== undefined) checkFunction('onGc', options.onGc);
  return new HistogramGcObserver(options);
}

class HistogramGcObserver implements GcObserver {
  readonly #histograms = new Map<GcKind, Histogram>(GC_KINDS.map((kind) => [kind, new Histogram()]));
  readonly #onGc: ((event: GcEvent) => void) | undefined;
  readonly #errors: ErrorReporter;
  readonly #watch: GcWatch;
  readonly #since: number = performance.now();
  #until: number | undefined;

  constructor({ onGc, onError }: ObserveGcOptions) {
    this.#onGc = onGc;
    this.#errors = new ErrorReporter('observeGc', onError);
    this.#watch = watchGc((event) => this.#record(event));
  }

  get closed(): boolean {
    return this.#until !== undefined;
  }

  histogram(kind: GcKind): Histogram {
    const copy = new Histogram();
    copy.merge(this.#of(kind));
    return copy;
  }

  stats(): GcStats {
    const kinds = Object.fromEntries(GC_KINDS.map((kind) => [kind, summarize(this.#of(kind))]));
    const all = Object.values(kinds);
    const total = all.reduce((sum, each) => sum + each.total, 0);
    const elapsed = (this.#until ?? performance.now()) - this.#since;
    return {
      count: all.reduce((sum, each) => sum + each.count, 0),
      total,
      share: elapsed > 0 ? Math.min(1, total / elapsed) : 0,
      kinds: kinds as Record<GcKind, GcKindStats>,
    };
  }

  close(): Promise<void> {
    if (this.#until === undefined) {
      this.#until = performance.now();
      this.#watch.stop();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #of(kind: GcKind): Histogram {
    return this.#histograms.get(kind) as Histogram;
  }

  #record(event: GcEvent): void {
    this.#of(event.kind).record(event.duration);
    const attributes: Attributes = { 'v8js.gc.type': event.kind };
    duration.record(event.duration / 1_000, attributes);
    try {
      this.#onGc?.(event);
    } catch (error) {
      this.#errors.report('onGc', error);
    }
  }
}

function summarize(histogram: Histogram): GcKindStats {
  const { count, sum } = histogram;
  if (count === 0) return { count, total: 0, p50: 0, p99: 0, max: 0 };
  return { count, total: sum, p50: histogram.quantile(0.5), p99: histogram.quantile(0.99), max: histogram.max };
}
