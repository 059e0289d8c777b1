/**
 * The capacity that serves a request of `size` bytes: four classes between each power of two and the next, so that a buffer is at most
 * 25 % larger than asked for (jemalloc spaces its size classes in the same way). `size` is from 8 to 2^30.
 */
export function capacityFor(size: number): number {
  const exponent = 31 - Math.clz32(size - 1);
  const step = 2 ** (exponent - 2);
  return Math.ceil(size / step) * step;
}
