import { type TrendPoint, trendOf } from './trend.ts';

/**
 * `growing`: what stays alive has risen steadily, and goes on rising. `steady`: it has not. `unclear`: there are too few samples.
 */
export type LeakVerdict = 'growing' | 'steady' | 'unclear';

/** What the samples say. */
export interface LeakFindings {
  readonly verdict: LeakVerdict;
  /** Bytes per hour; `NaN` with fewer than two samples. */
  readonly growthPerHour: number;
  /** See {@link Trend.significance}. */
  readonly significance: number;
}

/** When growth is worth a verdict. */
export interface LeakPolicy {
  /** Samples without which nothing is said. */
  readonly minSamples: number;
  /** Bytes it must come to over the time that was looked at. */
  readonly minGrowth: number;
}

/** 1 % chance of a false alarm on a series without a trend. */
const SIGNIFICANT = 2.33;
/** Growth that has slowed to less than this share of its mean is levelling off: a cache that fills, a warm-up. */
const STILL_GROWING = 0.25;
const HOUR = 3_600_000;

/** Judges live-heap samples, oldest first. */
export function judgeGrowth(points: readonly TrendPoint[], { minSamples, minGrowth }: LeakPolicy): LeakFindings {
  const { slope, significance } = trendOf(points);
  const findings = { growthPerHour: slope * HOUR, significance };
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length < minSamples)
    return { ...findings, verdict: 'unclear' };
  const growth = slope * (last.at - first.at);
  const lately = trendOf(points.slice(points.length >> 1)).slope;
  const growing = significance > SIGNIFICANT && growth >= minGrowth && lately > slope * STILL_GROWING;
  return { ...findings, verdict: growing ? 'growing' : 'steady' };
}
