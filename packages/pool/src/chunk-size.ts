/** What is known when the size of the next chunk is chosen. */
export interface ChunkFacts {
  /** Mean milliseconds per item so far, as the workers measured it; `undefined` before the first chunk came back. */
  readonly perItem: number | undefined;
  /** The size of the chunk before; 0 for the first. */
  readonly previous: number;
  /** Items left; `undefined` when the input does not say. */
  readonly left: number | undefined;
  readonly workers: number;
}

/** Milliseconds a chunk should take: crossing costs a few hundredths of one. */
const TARGET = 4;
/** Keeps what is under way small, and what a lost worker takes with it. */
const MAX_SIZE = 4_096;
/** One fast chunk may be luck. */
const MAX_GROWTH = 4;

/**
 * How many items to send together: as many as take about {@link TARGET}, but no more than half of each worker's share of what is left, so that
 * the workers end together (guided self-scheduling, Polychronopoulos and Kuck, 1987). Slow items go alone.
 */
export function nextChunkSize({ perItem, previous, left, workers }: ChunkFacts): number {
  if (perItem === undefined) return 1;
  const byTime = TARGET / Math.max(perItem, TARGET / MAX_SIZE);
  const byShare = left === undefined ? Infinity : Math.ceil(left / (2 * workers));
  return Math.max(1, Math.floor(Math.min(byTime, byShare, previous * MAX_GROWTH)));
}
