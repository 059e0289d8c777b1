import { performance } from 'node:perf_hooks';
import type { Clock } from '@perf/core';

// Taken from the module, not from the global object, and bound once: fake timers replace the global `performance`, and a
// profiler that runs on a stopped clock would report nothing but zeros.
const now = /* @__PURE__ */ performance.now.bind(performance);

/** The machine's monotonic clock, out of the reach of fake timers. */
export const realClock: Clock = { now };

/** Milliseconds from `start` to `end`; 0 when the clock went back or broke, so that no sum is ever poisoned. */
export function elapsed(start: number, end: number): number {
  const time = end - start;
  return time > 0 && time < Infinity ? time : 0;
}
