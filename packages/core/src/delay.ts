import { abortable } from './abortable.ts';
import { startTimer, type Timer } from './timer.ts';

/** Options of {@link delay}. */
export interface DelayOptions {
  /** Ends the wait at once, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process may exit while only this wait is left. @default false */
  readonly unref?: boolean;
}

/** Resolves after `ms` milliseconds (any number of them; `Infinity` waits for the signal alone). */
export async function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  options.signal?.throwIfAborted();
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
