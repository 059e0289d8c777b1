/** The longest wait after the first failure, in milliseconds; each further failure in a row triples it. */
const FIRST_RETRY_DELAY = 10;
const GROWTH = 3;
/** Once the waits have grown this long the peer counts as gone for a while, and is probed at this pace. */
const PROBE_INTERVAL = 1_500;
const PROBE_JITTER = 250;

/** The longest wait after any number of failures, in milliseconds: how late the end of an outage is noticed at worst. */
export const MAX_RETRY_DELAY: number = PROBE_INTERVAL + PROBE_JITTER;

/**
 * How long to wait after the `failures`-th failure in a row, in milliseconds: at first anything up to a ceiling that grows fast, then
 * a good one and a half seconds.
 *
 * The start is the "full jitter" of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): of the variants
 * compared there it costs a recovering peer the least work, because no two clients come back at the same time, and most outages are over
 * by then. It has no lower bound, though, so over a long outage full jitter can be either rare enough for the peer or quick to notice that
 * it is back, not both. Probes at a bounded pace are: at most 30 tries in the first 30 s, whatever the dice say (four together, five after
 * the growing waits, then one each 1.5 s at the soonest), and the end of the outage is noticed within 1.75 s.
 *
 * @param random from 0 to 1
 */
export function retryDelay(failures: number, random: number): number {
  const ceiling = FIRST_RETRY_DELAY * GROWTH ** (failures - 1);
  return ceiling < PROBE_INTERVAL ? random * ceiling : PROBE_INTERVAL + random * PROBE_JITTER;
}
