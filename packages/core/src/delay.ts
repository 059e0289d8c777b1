import { abortable } from './abortable.ts';
import { checkRange, checkSignal } from './check.ts';
import { startTimer, type Timer } from './timer.ts';

/** Options of {@link delay}. */
export interface DelayOptions {
  /** Ends the wait at once, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process may exit while only this wait is left. @default false */
  readonly unref?: boolean;
}

/**
 * Resolves after `ms` milliseconds (any number of them from 0 on; `Infinity` waits for the signal alone).
 *
 * Rejects with `signal.reason`; with a `RangeError` or `TypeError` for a bad argument.
 */
export async function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  if (ms !== Infinity) checkRange('ms', ms, { min: 0, max: Number.MAX_VALUE });
  if (options.signal !== undefined) checkSignal('signal', options.signal).throwIfAborted();
  let timer: Timer | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = startTimer(resolve, ms, { unref: options.unref ?? false });
  });
  try {
    await abortable(elapsed, options.signal);
  } finally {
    timer?.cancel();
  }
}
