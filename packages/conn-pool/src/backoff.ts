/** How long to wait after the first failure in a row, after the second, and so on, in milliseconds: from, to. The last is for all that follow. */
const WAITS = [
  [0, 10],
  [0, 30],
  [0, 90],
  [0, 270],
  [0, 810],
  [750, 1_250],
  [1_500, 1_750],
] as const;

/** The longest wait after any number of failures, in milliseconds: how late the end of an outage is noticed at worst. */
export const MAX_RETRY_DELAY = 1_750;

/**
 * How long to wait after the `failures`-th failure in a row, in milliseconds: at first anything up to a ceiling that triples, then a good
 * one and a half seconds.
 *
 * The start is the "full jitter" of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): of the variants
 * compared there it costs a recovering peer the least work, because no two clients come back at the same time, and most outages are over
 * by then. It has no lower bound, though, so over a long outage full jitter can be either rare enough for the peer or quick to notice that
 * it is back, not both. Probes at a bounded pace are: at most 30 tries in the first 30 s, whatever the dice say (four together, five after
 * the growing waits, one after 0.75 s, then one each 1.5 s at the soonest), and the end of the outage is noticed within 1.75 s.
 *
 * @param random from 0 to 1
 */
export function retryDelay(failures: number, random: number): number {
  const [from, to] = WAITS[Math.min(failures, WAITS.length) - 1] ?? WAITS[0];
  return from + random * (to - from);
}
