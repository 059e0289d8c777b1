/**
 * A time to live that is shorter by chance, by up to `jitter` of it, so that values which came together do not end together.
 *
 * @param jitter from 0 to 1
 */
export function jittered(ttl: number, jitter: number): number {
  // Not a product with zero, which would be NaN for what never ends.
  return jitter === 0 || ttl === Infinity ? ttl : ttl * (1 - jitter * Math.random());
}
