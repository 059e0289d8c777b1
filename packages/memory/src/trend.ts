/** One point of a series. */
export interface TrendPoint {
  /** Monotonic, in milliseconds. */
  readonly at: number;
  readonly value: number;
}

/** How a series develops. */
export interface Trend {
  /** Growth per millisecond: the median slope of all pairs of points. */
  readonly slope: number;
  /**
   * How far the order of the values is from chance, in standard deviations: above 2.33, a series without a trend would rise as
   * steadily in one case out of a hundred.
   */
  readonly significance: number;
}

/**
 * The trend of a series, by Theil and Sen's slope and Mann and Kendall's test. Both look at pairs of points only, so that a few
 * outliers, or jumps, do not make a trend. `NaN` slope with fewer than two distinct times. O(n²).
 */
export function trendOf(points: readonly TrendPoint[]): Trend {
  const slopes: number[] = [];
  let score = 0;
  for (const [index, later] of points.entries()) {
    for (let before = 0; before < index; before++) {
      const earlier = points[before] as TrendPoint;
      const rise = later.value - earlier.value;
      score += Math.sign(rise);
      if (later.at > earlier.at) slopes.push(rise / (later.at - earlier.at));
    }
  }
  return { slope: median(slopes), significance: significanceOf(score, points) };
}

/** The score's distance from 0, less one for continuity, over its standard deviation with ties accounted for. */
function significanceOf(score: number, points: readonly TrendPoint[]): number {
  const ties = new Map<number, number>();
  for (const { value } of points) ties.set(value, (ties.get(value) ?? 0) + 1);
  const spread = (n: number): number => n * (n - 1) * (2 * n + 5);
  const tied = [...ties.values()].reduce((sum, n) => sum + spread(n), 0);
  const variance = (spread(points.length) - tied) / 18;
  return variance > 0 && score !== 0 ? (score - Math.sign(score)) / Math.sqrt(variance) : 0;
}

function median(values: number[]): number {
  if (values.length === 0) return NaN;
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  const upper = values[middle] as number;
  return values.length % 2 === 1 ? upper : ((values[middle - 1] as number) + upper) / 2;
}
