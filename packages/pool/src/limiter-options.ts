import { type Clock, checkOptions, checkPositiveInteger, checkSignal } from '@perf/core';
import { checkPriority } from './check-waiting.ts';

/** Options of a {@link Limiter}. */
export interface LimiterOptions {
  /** The sum of the weights that run at once. Can be changed later. */
  readonly maxConcurrent: number;
  /** How many may wait; one more is refused with a {@link PoolQueueFullError}. @default Infinity */
  readonly maxQueue?: number;
  /** Names the limiter in errors and metrics. @default 'limiter' */
  readonly name?: string;
  /** The source of time, for aging. @default the process's monotonic clock */
  readonly clock?: Clock;
}

/** Options of one call of a {@link Limiter}. */
export interface LimiterCallOptions {
  /** Ends the wait at once, with `signal.reason`; it does not stop a function that already runs. */
  readonly signal?: AbortSignal | undefined;
  /** Who goes first: one point is worth one second of waiting. From -1e9 to 1e9. @default 0 */
  readonly priority?: number;
  /** How much of `maxConcurrent` it takes; at most all of it. @default 1 */
  readonly weight?: number;
}

/** A call's options with their defaults. */
export interface LimiterCall {
  readonly signal: AbortSignal | undefined;
  readonly priority: number;
  readonly weight: number;
}

/** What {@link Limiter.stats} reports. */
export interface LimiterStats {
  readonly maxConcurrent: number;
  /** The sum of the weights held now. */
  readonly inUse: number;
  /** How many hold a lease or run now. */
  readonly running: number;
  /** How many wait now. */
  readonly waiting: number;
  /** How many leases have been given back. */
  readonly completed: number;
  /** How many were refused because `maxQueue` were waiting. */
  readonly refused: number;
  /** How many stopped waiting because their signal aborted. */
  readonly aborted: number;
}

/** A call without options. */
export const PLAIN_CALL: LimiterCall = { signal: undefined, priority: 0, weight: 1 };

const CALL_OPTIONS = ['signal', 'priority', 'weight'];

/** @throws RangeError, TypeError for a bad option, and for a `weight` that never fits */
export function checkLimiterCall(options: LimiterCallOptions, maxConcurrent: number): LimiterCall {
  checkOptions('a call of Limiter', options, CALL_OPTIONS);
  const { signal, priority = 0, weight = 1 } = options;
  checkPriority(priority);
  if (checkPositiveInteger('weight', weight) > maxConcurrent) {
    throw new RangeError(`\`weight\` must be at most the limit of ${maxConcurrent}, got ${weight}`);
  }
  if (signal !== undefined) checkSignal('signal', signal);
  return { signal, priority, weight };
}
