/** The last collection that was forced: when it ended, and what it took, in milliseconds. */
export interface ForcedGc {
  readonly endedAt: number;
  readonly took: number;
}

const LEAST_PAUSE = 10_000;
const MOST_SHARE = 0.05;

/**
 * Whether a collection may be forced now: at most every 10 seconds, and for at most 5 % of the time, so that a heap full of live objects is not
 * collected over and over for nothing (Go caps its collector under a memory limit for the same reason).
 */
export function mayForceGc(last: ForcedGc | undefined, now: number): boolean {
  if (last === undefined) return true;
  return now - last.endedAt >= Math.max(LEAST_PAUSE, last.took * (1 / MOST_SHARE - 1));
}
