/** How the workers divide `length` elements among them. */
export interface RangePlan {
  readonly length: number;
  /** The fewest elements to claim at once, but for the last range. */
  readonly grain: number;
  readonly workers: number;
}

/** The first is where the next range starts; shared by the workers. 64 bits, as an array may be longer than 2^31. */
export type RangeCursor = BigInt64Array<SharedArrayBuffer>;

export function createCursor(): RangeCursor {
  return new BigInt64Array(new SharedArrayBuffer(8));
}

/**
 * Claims the next range for the caller alone; `undefined` when none is left. Large ranges first, and ever smaller ones, so that the workers end together
 * although nobody knows how long a range takes (guided self-scheduling, Polychronopoulos and Kuck, 1987).
 */
export function claimRange(cursor: RangeCursor, plan: RangePlan): readonly [start: number, end: number] | undefined {
  for (;;) {
    const start = Number(Atomics.load(cursor, 0));
    if (start >= plan.length) return undefined;
    const end = Math.min(plan.length, start + nextRange(plan.length - start, plan));
    if (Atomics.compareExchange(cursor, 0, BigInt(start), BigInt(end)) === BigInt(start)) return [start, end];
  }
}

/** Has everyone find that nothing is left. */
export function exhaust(cursor: RangeCursor, plan: RangePlan): void {
  Atomics.store(cursor, 0, BigInt(plan.length));
}

/** A quarter of a worker's share of what is left: half of it would be too much if its work is the harder one. */
function nextRange(left: number, { grain, workers }: RangePlan): number {
  return Math.max(grain, Math.ceil(left / (4 * workers)));
}
