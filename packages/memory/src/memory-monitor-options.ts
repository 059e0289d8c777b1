import {
  type Clock,
  checkClock,
  checkDuration,
  checkFunction,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  systemClock,
  type ReadFile,
} from '@perf/core';
import type { OnCallbackError } from './error-reporter.ts';
import { MemoryReader } from './memory-reader.ts';
import type { MemorySource } from './memory-reading.ts';
import type { LevelPolicy } from './pressure-level.ts';

/** Shares of a limit at which the levels begin. */
export interface PressureThresholds {
  /** From 0 to 1. @default 0.75 */
  readonly elevated?: number | undefined;
  /** Above `elevated`, up to 1. @default 0.9 */
  readonly critical?: number | undefined;
}

/** Options of {@link MemoryMonitor}. */
export interface MemoryMonitorOptions {
  /**
   * `'auto'`: the limits that are there, of V8's heap and of the container. A number: besides those, the bytes of resident memory the
   * process shall stay within. @default 'auto'
   */
  readonly limit?: 'auto' | number | undefined;
  readonly thresholds?: PressureThresholds | undefined;
  /** How far below its threshold the used share must fall before a level is left. @default 0.05 */
  readonly hysteresis?: number | undefined;
  /** How long it must stay there, in milliseconds. @default 10_000 */
  readonly dwell?: number | undefined;
  /** Milliseconds between two samples once started. @default 1_000 */
  readonly interval?: number | undefined;
  /** Milliseconds after which the handlers run again while the pressure lasts; `Infinity` for once per rise. @default 60_000 */
  readonly repeatEvery?: number | undefined;
  /** Milliseconds an asynchronous handler may take before the next one runs. @default 10_000 */
  readonly handlerTimeout?: number | undefined;
  /** Hears what handlers throw, or a failed reading. @default one process warning for the first */
  readonly onError?: OnCallbackError | undefined;
  /** Reads control-group files, for another root than `/`. @default fs.readFileSync, `undefined` for what is not there */
  readonly readFile?: ReadFile | undefined;
  /** Takes the readings, in place of this process's own. */
  readonly source?: MemorySource | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Names the monitor in errors and metrics. @default 'default' */
  readonly name?: string | undefined;
}

/** The options as checked, defaults filled in. */
export interface CheckedMemoryMonitorOptions {
  readonly limit: number | undefined;
  readonly policy: LevelPolicy;
  readonly interval: number;
  readonly repeatEvery: number;
  readonly handlerTimeout: number;
  readonly source: MemorySource;
  readonly clock: Clock;
  readonly name: string;
}

/** The names of the options, for those who pass them on. */
export const MONITOR_OPTIONS: readonly (keyof MemoryMonitorOptions)[] = [
  'limit',
  'thresholds',
  'hysteresis',
  'dwell',
  'interval',
  'repeatEvery',
  'handlerTimeout',
  'onError',
  'readFile',
  'source',
  'clock',
  'name',
];

export function checkMemoryMonitorOptions(options: MemoryMonitorOptions): CheckedMemoryMonitorOptions {
  checkOptions('MemoryMonitor', options, MONITOR_OPTIONS);
  const { limit = 'auto', interval = 1_000, repeatEvery = 60_000, handlerTimeout = 10_000 } = options;
  const { readFile, clock = systemClock, name = 'default' } = options;
  if (readFile !== undefined) checkFunction('readFile', readFile);
  const { source = new MemoryReader({ readFile }) } = options;
  if (typeof source?.read !== 'function') throw new TypeError('`source` must be an object with a method `read`');
  return {
    limit: limit === 'auto' ? undefined : checkPositiveInteger('limit', limit),
    policy: checkPolicy(options),
    interval: checkDuration('interval', interval),
    repeatEvery: checkDuration('repeatEvery', repeatEvery),
    handlerTimeout: checkDuration('handlerTimeout', handlerTimeout),
    source,
    clock: checkClock('clock', clock),
    name: checkName('name', name),
  };
}

function checkPolicy(options: MemoryMonitorOptions): LevelPolicy {
  const { thresholds = {}, hysteresis = 0.05, dwell = 10_000 } = options;
  checkOptions('`thresholds`', thresholds, ['elevated', 'critical']);
  const { elevated = 0.75, critical = 0.9 } = thresholds;
  checkRange('thresholds.elevated', elevated, { min: 0, max: 1 });
  checkRange('thresholds.critical', critical, { min: elevated, max: 1 });
  checkRange('hysteresis', hysteresis, { min: 0, max: elevated });
  checkDuration('dwell', dwell);
  return { elevated, critical, hysteresis, dwell };
}
