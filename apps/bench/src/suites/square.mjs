/** The task of the worker pools: nothing but the trip. @param {number} n */
export default function square(n) {
  return n * n;
}
