import { checkOptions, checkRange } from '@perf/core';
import type { FunctionReport } from '../function-report.ts';
import { type BatchSummary, batchMeans } from './batch-means.ts';
import { tQuantile } from './student-t.ts';

/** Fewer batches than this on either side say nothing. */
const MIN_BATCHES = 6;

/** What {@link compare} concludes. */
export type Verdict = 'faster' | 'slower' | 'same' | 'unclear';

/** Options of {@link compare}. */
export interface CompareOptions {
  /** The smallest relative change that matters, from 0 up to 1. @default 0.05 (5 %) */
  readonly minEffect?: number;
}

/** Two series of measurements side by side. */
export interface Comparison {
  /**
   * `faster` or `slower`: the change is at least `minEffect`, with 95 % confidence. `same`: it is less, with the same confidence.
   * `unclear`: there is too little data, or too much noise, to say either.
   */
  readonly verdict: Verdict;
  /** The effect size: relative change of the mean, -0.2 for 20 % less time; `NaN` when there is nothing to divide by. */
  readonly effect: number;
  /** 95 % confidence interval of `effect`; infinite when the data sets no bounds. */
  readonly interval: readonly [low: number, high: number];
  readonly before: BatchSummary;
  readonly after: BatchSummary;
}

/** A {@link Comparison} of one function. */
export interface FunctionComparison extends Comparison {
  readonly name: string;
}

/**
 * Compares two series of durations, each in the order it was measured in: raw ones, or the `batches` of a report.
 *
 * Method: both series become means of batches, since durations that follow one another are not independent and tests that take them for it see
 * differences where there are none. The ratio of the two means gets a 95 % confidence interval by Fieller's theorem with Student's t and Welch's degrees
 * of freedom (T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013). The verdict compares that interval with
 * ±`minEffect`: outside is a change, inside is none, across is unclear.
 *
 * Pure; O(values). Runs that alternate (before, after, before, …) beat two long ones: what drifts, hits both.
 *
 * @throws TypeError or RangeError for a value that is not a non-negative finite number, or a bad option
 */
export function compare(before: readonly number[], after: readonly number[], options: CompareOptions = {}): Comparison {
  checkOptions('compare', options, ['minEffect']);
  const { minEffect = 0.05 } = options;
  checkRange('minEffect', minEffect, { min: 0, max: 1 });
  checkSeries('before', before);
  checkSeries('after', after);
  const a = batchMeans(before);
  const b = batchMeans(after);
  const effect = b.mean / a.mean - 1;
  const interval = effectInterval(a, b);
  return { verdict: verdictOf(interval, minEffect), effect, interval, before: a, after: b };
}

/**
 * Compares what two profilers, or one at two times, measured: every function that both know, largest change of total time per call first.
 * @throws TypeError or RangeError for a bad option
 */
export function compareReports(
  before: readonly FunctionReport[],
  after: readonly FunctionReport[],
  options: CompareOptions = {},
): FunctionComparison[] {
  const known = new Map(before.map((report) => [report.name, report]));
  const comparisons = after.flatMap(({ name, batches }) => {
    const earlier = known.get(name);
    return earlier === undefined ? [] : [{ name, ...compare(earlier.batches, batches, options) }];
  });
  const size = ({ effect }: Comparison): number => (Number.isNaN(effect) ? -1 : Math.abs(effect));
  return comparisons.sort((a, b) => size(b) - size(a));
}

function checkSeries(name: string, values: readonly number[]): void {
  if (!Array.isArray(values)) throw new TypeError(`\`${name}\` must be an array of numbers`);
  for (const [i, value] of values.entries()) {
    checkRange(`${name}[${i}]`, value, { min: 0, max: Number.MAX_VALUE });
  }
}

function effectInterval(before: BatchSummary, after: BatchSummary): readonly [number, number] {
  const unbounded = [-Infinity, Infinity] as const;
  if (Math.min(before.batches, after.batches) < MIN_BATCHES) return unbounded;
  if (before.mean === 0) return after.mean === 0 ? [0, 0] : unbounded;
  const t = tQuantile(degreesOfFreedom(before, after));
  const ratio = after.mean / before.mean;
  const g = (t * t * before.variance) / (before.mean * before.mean);
  if (g >= 1) return unbounded;
  const spread = (t / before.mean) * Math.sqrt(after.variance * (1 - g) + ratio * ratio * before.variance);
  return [(ratio - spread) / (1 - g) - 1, (ratio + spread) / (1 - g) - 1];
}

/** Welch and Satterthwaite, for the difference that the interval turns on. */
function degreesOfFreedom(before: BatchSummary, after: BatchSummary): number {
  const [a, b] = [before.variance, after.variance];
  if (a + b === 0) return before.batches + after.batches - 2;
  return (a + b) ** 2 / (a ** 2 / (before.batches - 1) + b ** 2 / (after.batches - 1));
}

function verdictOf([low, high]: readonly [number, number], minEffect: number): Verdict {
  if (high < 0 && high <= -minEffect) return 'faster';
  if (low > 0 && low >= minEffect) return 'slower';
  return low >= -minEffect && high <= minEffect ? 'same' : 'unclear';
}
