import { START_SIZE } from './throughput-sizer.ts';

/**
 * The most operations a batch should hold, up to `size`, so that what is pending is spread evenly over the slots, round by round: a larger one
 * would leave slots idle at the end, or for good when callers wait for their answers before they add more. What fits one batch of
 * the size the search begins with is not split.
 */
export function fairShare(size: number, pending: number, concurrency: number): number {
  if (concurrency === Infinity || size <= START_SIZE) return size;
  const rounds = Math.ceil(pending / (concurrency * size));
  // With many rounds to go the last one does not matter, and batches that are full teach more.
  if (rounds > 4) return size;
  return Math.min(size, Math.max(START_SIZE, Math.ceil(pending / (concurrency * rounds))));
}
