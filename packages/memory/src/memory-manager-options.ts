import { type Clock, checkClock, checkDuration, checkName, checkOneOf, checkOptions, systemClock } from '@perf/core';
import type { OnCallbackError } from './error-reporter.ts';
import { MemoryMonitor } from './memory-monitor.ts';
import { MONITOR_OPTIONS, type MemoryMonitorOptions } from './memory-monitor-options.ts';
import type { ReliefGc, ReliefLevel } from './relief.ts';

/** Options of {@link MemoryManager}. */
export interface MemoryManagerOptions {
  /** A monitor of yours, which you start and close; or options for one that the manager starts and closes. */
  readonly monitor?: MemoryMonitor | MemoryMonitorOptions | undefined;
  /** Whether to collect garbage at the end of a relief under pressure, at most every 10 seconds and 5 % of the time. @default 'never' */
  readonly gc?: 'never' | 'once' | undefined;
  /** Milliseconds between two trimmings of the pools; `Infinity` for never. @default 60_000 */
  readonly trimInterval?: number | undefined;
  /** Hears what relievers and the callbacks of pools without an `onError` throw. @default one process warning for the first */
  readonly onError?: OnCallbackError | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Names the manager, and the monitor it makes. @default 'default' */
  readonly name?: string | undefined;
}

/** The options as checked, defaults filled in. */
export interface CheckedMemoryManagerOptions {
  readonly monitor: MemoryMonitor;
  /** Whether the manager made the monitor. */
  readonly ownsMonitor: boolean;
  readonly gc: 'never' | 'once';
  readonly trimInterval: number;
  readonly clock: Clock;
  readonly name: string;
}

const KNOWN = ['monitor', 'gc', 'trimInterval', 'onError', 'clock', 'name'] as const;

export function checkMemoryManagerOptions(options: MemoryManagerOptions): CheckedMemoryManagerOptions {
  checkOptions('MemoryManager', options, KNOWN);
  const { monitor = {}, gc = 'never', trimInterval = 60_000, clock = systemClock, name = 'default' } = options;
  checkOneOf('gc', gc, ['never', 'once']);
  checkDuration('trimInterval', trimInterval);
  checkClock('clock', clock);
  checkName('name', name);
  const ownsMonitor = !(monitor instanceof MemoryMonitor);
  // Before it is spread, which makes an object of anything.
  if (ownsMonitor) checkOptions('`monitor`', monitor, MONITOR_OPTIONS);
  return {
    monitor: ownsMonitor ? new MemoryMonitor({ name, clock, onError: options.onError, ...monitor }) : monitor,
    ownsMonitor,
    gc,
    trimInterval,
    clock,
    name,
  };
}

/** Options of {@link MemoryManager.relieve}. */
export interface RelieveOptions {
  /** How much to give up. @default 'critical' */
  readonly level?: ReliefLevel | undefined;
  /** Whether to collect garbage, and so whether the report can tell what was freed. @default 'never' */
  readonly gc?: ReliefGc | undefined;
}

/** The options as checked, defaults filled in. */
export interface CheckedRelieveOptions {
  readonly level: ReliefLevel;
  readonly gc: ReliefGc;
}

export function checkRelieveOptions(options: RelieveOptions): CheckedRelieveOptions {
  checkOptions('relieve', options, ['level', 'gc']);
  const { level = 'critical', gc = 'never' } = options;
  checkOneOf('level', level, ['elevated', 'critical']);
  checkOneOf('gc', gc, ['never', 'once', 'each']);
  return { level, gc };
}
