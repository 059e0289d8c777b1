/** At most this many batches are compared: 10 to 30 is what batch means work best with (Schmeiser 1982), whatever the number of values. */
const BATCHES = 30;

/** A series of measurements as its batches tell of it. */
export interface BatchSummary {
  /** How many values went in. */
  readonly samples: number;
  /** How many batches they made. */
  readonly batches: number;
  /** Mean of all batches, in the unit of the values. */
  readonly mean: number;
  /** Variance of `mean` as an estimate: correlation that remains between neighbouring batches makes it larger. */
  readonly variance: number;
}

/**
 * Cuts the series, in the order it was measured in, into up to 30 (or up to 59, each a single value) equal batches; a remainder is left out at the
 * beginning, where a program warms up.
 *
 * Neighbouring batches may still depend on each other, as when a machine slowly heats up. Their lag-1 correlation r, when positive, multiplies the
 * variance by (1 + r) / (1 - r), as for a first-order autoregressive series.
 */
export function batchMeans(values: readonly number[]): BatchSummary {
  const size = Math.max(1, Math.floor(values.length / BATCHES));
  const count = Math.floor(values.length / size);
  const skip = values.length - count * size;
  const means = Array.from({ length: count }, (_, i) => meanOf(values.slice(skip + i * size, skip + (i + 1) * size)));
  const mean = meanOf(means);
  let squares = 0;
  let products = 0;
  for (let i = 0; i < count; i++) {
    const deviation = (means[i] as number) - mean;
    squares += deviation * deviation;
    if (i > 0) products += deviation * ((means[i - 1] as number) - mean);
  }
  const correlation = squares > 0 ? Math.min(0.99, Math.max(0, products / squares)) : 0;
  const variance = (squares / (count - 1) / count) * ((1 + correlation) / (1 - correlation));
  return { samples: values.length, batches: count, mean, variance };
}

function meanOf(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
