import { checkCount, checkRange } from '@perf/core';

const PRIORITIES = { min: -1e9, max: 1e9 };

/** Throws unless `value` is how many may wait: a count, 0 for none, or `Infinity`. Returns it. */
export function checkQueueLimit(name: string, value: unknown): number {
  return value === Infinity ? Infinity : checkCount(name, value);
}

/** Throws unless `value` can be a priority. Returns it. */
export function checkPriority(value: unknown): number {
  return checkRange('priority', value, PRIORITIES);
}
