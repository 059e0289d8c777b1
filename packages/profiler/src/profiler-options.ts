import {
  type Clock,
  checkBoolean,
  checkClock,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkRange,
} from '@perf/core';
import { realClock } from './real-clock.ts';

/** Options of {@link Profiler}. */
export interface ProfilerOptions {
  /** Names the profiler in telemetry. */
  readonly name?: string;
  /**
   * The share of calls to time, above 0 and up to 1. Decided at each outermost call, for all that runs inside it; calls and errors are
   * counted exactly whatever it is, and totals are scaled up by it.
   * @default 1
   */
  readonly sampleRate?: number;
  /** How many names are kept apart; calls under further ones are put together as `(other)`. @default 2000 */
  readonly maxFunctions?: number;
  /**
   * Measures CPU time as well, at one to two microseconds a call. It covers the synchronous part of a call, before the first `await`, and each step
   * of a generator: what runs later shares its thread with other calls. On Node.js before 23.9 other threads count too.
   * @default false
   */
  readonly cpu?: boolean;
  /** Where time comes from. @default the machine's monotonic clock, which fake timers do not reach */
  readonly clock?: Clock;
}

/** {@link ProfilerOptions}, checked and complete. */
export interface ProfilerSettings {
  readonly name: string | undefined;
  readonly sampleRate: number;
  readonly maxFunctions: number;
  readonly cpu: boolean;
  readonly clock: Clock;
}

const KNOWN = ['name', 'sampleRate', 'maxFunctions', 'cpu', 'clock'];

/** @throws TypeError or RangeError naming the option and its value */
export function profilerSettings(options: ProfilerOptions): ProfilerSettings {
  checkOptions('Profiler', options, KNOWN);
  const { name, sampleRate = 1, maxFunctions = 2000, cpu = false, clock = realClock } = options;
  if (name !== undefined) checkName('name', name);
  checkRange('sampleRate', sampleRate, { min: Number.MIN_VALUE, max: 1 });
  checkPositiveInteger('maxFunctions', maxFunctions);
  checkBoolean('cpu', cpu);
  return { name, sampleRate, maxFunctions, cpu, clock: checkClock('clock', clock) };
}
