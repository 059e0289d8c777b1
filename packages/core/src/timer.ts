/** The longest delay a Node.js timer takes, in milliseconds; a longer one fires at once. */
export const MAX_TIMER_DELAY: number = 2 ** 31 - 1;

/** A running timer: cancel it with {@link Timer.cancel}. */
export interface Timer {
  /** Stops the timer; the callback is not called after this. Idempotent. */
  cancel(): void;
}

const NEVER: Timer = { cancel() {} };

/**
 * Calls `callback` once after `ms` milliseconds, for any `ms`: Node's own timers fire at once past 2^31 - 1 ms.
 * `Infinity` is never.
 *
 * @param options.unref whether the timer alone lets the process exit. Background timers should; one that a caller awaits should not. @default false
 */
export function startTimer(callback: () => void, ms: number, options?: { readonly unref?: boolean }): Timer {
  if (ms === Infinity) return NEVER;
  let left = ms;
  let handle: ReturnType<typeof setTimeout>;
  const arm = (): void => {
    const step = Math.min(left, MAX_TIMER_DELAY);
    left -= step;
    handle = setTimeout(left > 0 ? arm : callback, step);
    if (options?.unref === true) handle.unref();
  };
  arm();
  return { cancel: () => clearTimeout(handle) };
}
