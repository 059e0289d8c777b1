/** The longest wait after the first failure, in milliseconds. */
const FIRST_RETRY_DELAY = 10;
/** The longest wait after any number of failures, in milliseconds. */
export const MAX_RETRY_DELAY = 5_000;

/**
 * How long to wait after the `failures`-th failure in a row, in milliseconds: anything up to a ceiling that doubles.
 * "Full jitter" of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): of the variants compared
 * there it costs a recovering peer the least work, because no two clients come back at the same time.
 *
 * @param random from 0 to 1
 */
export function retryDelay(failures: number, random: number): number {
  return random * Math.min(MAX_RETRY_DELAY, FIRST_RETRY_DELAY * 2 ** (failures - 1));
}
