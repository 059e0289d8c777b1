/** The task of the worker pools: nothing but the trip. @param {number} n */
export function square(n) {
  return n * n;
}
