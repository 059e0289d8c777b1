/** What a profiler knows of one function. All times are in milliseconds; those of a function that has not finished once are `NaN`. */
export interface FunctionReport {
  readonly name: string;
  /** Calls begun, those still running included. Exact at any `sampleRate`. */
  readonly calls: number;
  /** Calls that threw or rejected. Exact at any `sampleRate`. */
  readonly errors: number;
  /**
   * Finished calls behind `mean`, `min`, `max` and the quantiles: the outermost ones (recursion inside a call is part of it, not a
   * call to time again), and with `sampleRate` below 1 only the sampled ones.
   */
  readonly timed: number;
  /** Time spent in the function and everything it called; calls that overlap add up. An estimate when `sampleRate` is below 1. */
  readonly total: number;
  /** `total` without the time during which a profiled function it called was running. An estimate when `sampleRate` is below 1. */
  readonly self: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Median; like the other quantiles within 0.4 %. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** CPU time, `undefined` unless the profiler has `cpu: true`. See {@link ProfilerOptions.cpu} for what it covers. */
  readonly cpu: number | undefined;
  /** Mean duration of consecutive batches of calls, oldest first, at most 63: what {@link compare} takes. */
  readonly batches: readonly number[];
}
