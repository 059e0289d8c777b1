import { Histogram } from '@perf/core';
import { BatchSeries } from './batch-series.ts';
import type { FunctionReport } from './function-report.ts';
import type { RunningCall } from './running-call.ts';

/** The numbers of one function: constant memory, however often it is called. */
export class FunctionRecord {
  readonly name: string;
  /** Set by a reset: a new record has taken its place, and only calls begun before the reset still write here. */
  retired = false;
  calls = 0;
  errors = 0;
  #total = 0;
  #self = 0;
  #cpu = 0;
  readonly #durations: Histogram = new Histogram();
  readonly #batches: BatchSeries = new BatchSeries();

  constructor(name: string) {
    this.name = name;
  }

  /** Adds the time of a closed call, or of a part of one. */
  spend(call: RunningCall): void {
    this.#self += call.self;
    if (!call.counted) return;
    this.#total += call.total;
    this.#cpu += call.cpu;
  }

  /** Adds the duration of one finished outermost call. */
  finish(duration: number): void {
    this.#durations.record(duration);
    this.#batches.record(duration);
  }

  /** @param sampleRate the share of calls that is timed: what the sums are scaled up by */
  report({ sampleRate, cpu }: { readonly sampleRate: number; readonly cpu: boolean }): FunctionReport {
    const durations = this.#durations;
    return {
      name: this.name,
      calls: this.calls,
      errors: this.errors,
      timed: durations.count,
      total: this.#total / sampleRate,
      self: this.#self / sampleRate,
      mean: durations.mean,
      min: durations.min,
      max: durations.max,
      p50: durations.quantile(0.5),
      p95: durations.quantile(0.95),
      p99: durations.quantile(0.99),
      cpu: cpu ? this.#cpu / sampleRate : undefined,
      batches: this.#batches.means(),
    };
  }
}
