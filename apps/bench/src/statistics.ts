/** The middle of a sample and how far its quarters lie from it. */
export interface Spread {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** Median and quartiles, with linear interpolation between ranks. */
export function spreadOf(sample: readonly number[]): Spread {
  if (sample.length === 0) throw new RangeError('a spread needs at least one value');
  const sorted = sample.toSorted((a, b) => a - b);
  return { median: at(sorted, 0.5), lowerQuartile: at(sorted, 0.25), upperQuartile: at(sorted, 0.75) };
}

function at(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? NaN;
  const above = sorted[Math.ceil(position)] ?? NaN;
  return below + (above - below) * (position - Math.floor(position));
}
