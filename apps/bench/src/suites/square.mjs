/** The task of the worker pools: nothing but the trip. @param {number} n */
export function square(n) {
  return n * n;
}

/** About a millisecond of work, the same on each machine. @param {number} n */
export function work(n) {
  let sum = n % 7;
  for (let i = 1; i <= 200_000; i++) sum += Math.sqrt(i) % 3;
  return Math.round(sum);
}

/** What is done to one of many numbers. @param {number} x */
export function transform(x) {
  return Math.sqrt(x) + Math.sin(x) * Math.cos(x / 3);
}

/** A part of the numbers, as a copy. @param {Float64Array} numbers */
export function transformAll(numbers) {
  return numbers.map(transform);
}

/**
 * A range of numbers in shared memory.
 * @param {{ data: { input: Float64Array; output: Float64Array }; start: number; end: number }} range
 */
export function transformRange({ data: { input, output }, start, end }) {
  for (let index = start; index < end; index++) output[index] = transform(input[index] ?? 0);
}
