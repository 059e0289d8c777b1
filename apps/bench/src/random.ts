/** A seeded sequence of numbers from 0 up to 1 (Park and Miller's minimal standard generator), so that every contender sees the same. */
export function uniform(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** `count` ranks below `universe`, the k-th as likely as 1 / (k + 1)^skew. */
export function zipf(count: number, universe: number, skew: number): Uint32Array {
  const cumulative = new Float64Array(universe);
  let sum = 0;
  for (let rank = 0; rank < universe; rank++) cumulative[rank] = sum += 1 / (rank + 1) ** skew;
  const next = uniform();
  return Uint32Array.from({ length: count }, () => lowerBound(cumulative, next() * sum));
}

/** The index of the first value that is not below `target`. */
function lowerBound(sorted: Float64Array, target: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < target) low = middle + 1;
    else high = middle;
  }
  return low;
}
