import { checkDuration, checkOptions, checkRange, checkSignal } from '@perf/core';

/** Options of {@link Batcher.add} and {@link Batcher.addMany}. */
export interface AddOptions {
  /** Stops waiting, with `signal.reason`. An operation all of whose callers have gone is not sent, if it has not been yet. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long to wait for the result, in milliseconds, the wait for room in a full batcher included; then the caller is given a `BatchDeadlineError`. What has
   * not been sent by then is not sent. With `linger`, half of this time is the longest it lingers. @default Infinity
   */
  readonly timeout?: number | undefined;
  /** Higher goes first, as far as the order of its `orderingKey` allows. @default what the option `priority` says, or 0 */
  readonly priority?: number | undefined;
}

/** Options of {@link Batcher.ready}. */
export interface ReadyOptions {
  /** Stops waiting, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Batcher.close}. */
export interface BatcherCloseOptions {
  /** How long to wait for what is pending, in milliseconds; what is left then is rejected. @default Infinity */
  readonly timeout?: number | undefined;
}

/** The limit a call of `close` sets, in milliseconds. */
export function closeTimeout(options: BatcherCloseOptions): number {
  checkOptions('close', options, ['timeout']);
  return checkDuration('timeout', options.timeout ?? Infinity);
}

/** What {@link Batcher.close} could not finish in time. */
export interface CloseReport<Op> {
  /** Operations that have not taken effect, in the order they were added. */
  readonly unsent: readonly Op[];
  /** Operations that had been sent: each may or may not have taken effect. */
  readonly unknown: readonly Op[];
}

/** {@link AddOptions}, with their defaults; throws `signal.reason` if it has been aborted. */
export function checkAddOptions(options: AddOptions): {
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
  readonly priority: number | undefined;
} {
  checkOptions('a call of Batcher', options, ['signal', 'timeout', 'priority']);
  const { signal, timeout = Infinity, priority } = options;
  checkDuration('timeout', timeout);
  if (priority !== undefined) checkPriority('priority', priority);
  if (signal !== undefined) checkSignal('signal', signal).throwIfAborted();
  return { signal, timeout, priority };
}

export function checkPriority(name: string, priority: number): number {
  return checkRange(name, priority, ANY_PRIORITY);
}

const ANY_PRIORITY = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE } as const;
