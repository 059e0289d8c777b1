import { checkDuration, checkSignal } from './check.ts';
import { TimeoutError } from './errors.ts';
import { startTimer } from './timer.ts';

/** Options of {@link deadline}. */
export interface DeadlineOptions {
  /** Milliseconds the work may take; `Infinity` for no limit. */
  readonly timeout: number;
  /** The caller's own signal: its abort ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process may exit while only this wait is left. @default false */
  readonly unref?: boolean;
  /** Makes the error to reject with. @default a `TimeoutError` with code `PERF_TIMEOUT` */
  readonly onTimeout?: (timeout: number) => Error;
}

/**
 * Runs `work` with a signal that aborts when the timeout runs out or the caller's signal aborts, and stops waiting then,
 * whether `work` heeds the signal or not. Timer and listener are gone when the result is there.
 * What `work` answers after that is swallowed.
 *
 * Rejects with the timeout error, with `signal.reason`, or with what `work` threw, whichever is first; with a `RangeError` or `TypeError` for a bad option.
 */
export function deadline<T>(work: (signal: AbortSignal) => T | PromiseLike<T>, options: DeadlineOptions): Promise<T> {
  const { timeout, signal } = options;
  return new Promise<T>((resolve, reject) => {
    checkDuration('timeout', timeout);
    if (signal !== undefined) checkSignal('signal', signal).throwIfAborted();
    const controller = new AbortController();
    const release = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const giveUp = (reason: unknown): void => {
      release();
      // Rejected before the work hears of it: what it throws on abort must not win over the reason.
      reject(reason);
      controller.abort(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const timer = startTimer(() => giveUp(timeoutError(options)), timeout, { unref: options.unref ?? false });
    signal?.addEventListener('abort', onAbort, { once: true });
    // An async function, so that a synchronous throw of the work is a rejection like any other.
    const settle = async (): Promise<T> => work(controller.signal);
    settle().then(
      (value) => {
        release();
        resolve(value);
      },
      (error: unknown) => {
        release();
        reject(error);
      },
    );
  });
}

/** What to reject with. What `onTimeout` throws takes its place: thrown from a timer, it would end the process. */
function timeoutError({ timeout, onTimeout }: DeadlineOptions): unknown {
  if (onTimeout === undefined) return new TimeoutError(`timed out after ${timeout} ms`, { timeout });
  try {
    return onTimeout(timeout);
  } catch (error) {
    return error;
  }
}
