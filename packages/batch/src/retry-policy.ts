import { MAX_TIMER_DELAY, checkFunction, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';

/** How a {@link Batcher} sends failed operations again. */
export interface RetryOptions<Op> {
  /** How often an operation is sent at most, the first time included. @default 3 */
  readonly attempts?: number | undefined;
  /** Upper bound of the first wait, in milliseconds; it doubles with each attempt. @default 100 */
  readonly baseDelay?: number | undefined;
  /** Upper bound of any wait, in milliseconds. @default 10_000 */
  readonly maxDelay?: number | undefined;
  /**
   * Whether a failure is worth another try: the error `execute` returned for the operation, what it threw for the batch, or a
   * `BatchTimeoutError`. A throw counts as no. @default every failure is
   */
  readonly isRetryable?: ((error: unknown, op: Op) => boolean) | undefined;
  /**
   * Whether sending the operation twice does the same as once. Only such an operation is sent again when it is unknown whether it took
   * effect: after a throw of `execute` or a timeout. A throw counts as no. @default none is
   */
  readonly isIdempotent?: ((op: Op) => boolean) | undefined;
}

/** {@link RetryOptions}, checked, with its defaults. */
export interface RetryPolicy<Op> {
  readonly attempts: number;
  readonly baseDelay: number;
  readonly maxDelay: number;
  readonly isRetryable: (error: unknown, op: Op) => boolean;
  readonly isIdempotent: (op: Op) => boolean;
}

const KNOWN = ['attempts', 'baseDelay', 'maxDelay', 'isRetryable', 'isIdempotent'] as const;

/** Finite: an operation that waited for ever would never settle. */
const ANY_DELAY = { min: 0, max: MAX_TIMER_DELAY } as const;

export function retryPolicy<Op>(options: RetryOptions<Op>): RetryPolicy<Op> {
  checkOptions('`retry`', options, KNOWN);
  const { attempts = 3, baseDelay = 100, maxDelay = 10_000 } = options;
  const { isRetryable = () => true, isIdempotent = () => false } = options;
  return {
    attempts: checkPositiveInteger('retry.attempts', attempts),
    baseDelay: checkRange('retry.baseDelay', baseDelay, ANY_DELAY),
    maxDelay: checkRange('retry.maxDelay', maxDelay, ANY_DELAY),
    isRetryable: checkFunction('retry.isRetryable', isRetryable),
    isIdempotent: checkFunction('retry.isIdempotent', isIdempotent),
  };
}

/**
 * How long to wait after attempt number `attempt` failed: anything from 0 to the doubled bound, so that many clients that failed
 * together do not come back together ("full jitter", Marc Brooker, AWS Architecture Blog 2015).
 *
 * @param random a number from 0 up to 1
 */
export function fullJitter(
  attempt: number,
  { baseDelay, maxDelay }: { readonly baseDelay: number; readonly maxDelay: number },
  random: number,
): number {
  return random * Math.min(maxDelay, baseDelay * 2 ** (attempt - 1));
}
