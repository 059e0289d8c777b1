import { MAX_TIMER_DELAY, checkFunction, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';
import { askedWait, mayPass } from './failure-signs.ts';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

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
   * `BatchTimeoutError`. A throw counts as no. @default every failure is, unless its error says `retryable: false` or has a `status`
   * or `statusCode` of 4xx other than 408, 425 and 429
   */
  readonly isRetryable?: ((error: unknown, op: Op) => boolean) | undefined;
  /**
   * Whether sending the operation twice does the same as once. Only such an operation is sent again when it is unknown whether it took
   * effect: after a throw of `execute` (see `atomic`) or a timeout. Whatever but `true`, a throw or a promise too, counts as no. @default none is
   */
  readonly isIdempotent?: ((op: Op) => boolean) | undefined;
  /**
   * Bounds how many operations are sent again over all: a number is the `ratio` to those sent for the first time, `Infinity` is no bound.
   * When it is used up, failures go to their callers at once. @default { ratio: 0.1, burst: 10_000 }
   */
  readonly budget?: RetryBudgetOptions | number | undefined;
  /**
   * How long the store asks to wait, in milliseconds, told by the error; the wait is no shorter. If it is longer than `maxDelay`, the
   * failure goes to its caller at once. `undefined`, no number, and a throw mean that it does not say. See `retryAfterOf` for HTTP.
   * @default what a number `error.retryAfter` says
   */
  readonly retryAfter?: ((error: unknown) => number | undefined) | undefined;
}

/** {@link RetryOptions}, checked, with its defaults. */
export interface RetryPolicy<Op> {
  readonly attempts: number;
  readonly baseDelay: number;
  readonly maxDelay: number;
  readonly isRetryable: (error: unknown, op: Op) => boolean;
  readonly isIdempotent: (op: Op) => boolean;
  readonly budget: RetryBudget;
  readonly retryAfter: (error: unknown) => number | undefined;
}

const KNOWN = ['attempts', 'baseDelay', 'maxDelay', 'isRetryable', 'isIdempotent', 'budget', 'retryAfter'] as const;

/** Finite: an operation that waited for ever would never settle. */
const ANY_DELAY = { min: 0, max: MAX_TIMER_DELAY } as const;

/** @param options `undefined` for operations that are sent once */
export function retryPolicy<Op>(options: RetryOptions<Op> | undefined): RetryPolicy<Op> {
  if (options === undefined) return retryPolicy({ attempts: 1 });
  checkOptions('`retry`', options, KNOWN);
  const { attempts = 3, baseDelay = 100, maxDelay = 10_000, budget } = options;
  const { isRetryable = mayPass, isIdempotent = () => false, retryAfter = askedWait } = options;
  return {
    attempts: checkPositiveInteger('retry.attempts', attempts),
    baseDelay: checkRange('retry.baseDelay', baseDelay, ANY_DELAY),
    maxDelay: checkRange('retry.maxDelay', maxDelay, ANY_DELAY),
    isRetryable: checkFunction('retry.isRetryable', isRetryable),
    isIdempotent: checkFunction('retry.isIdempotent', isIdempotent),
    budget: new RetryBudget(budget),
    retryAfter: checkFunction('retry.retryAfter', retryAfter),
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

/** How long `error` says to wait at least, in milliseconds; 0 if it does not say. Never throws. */
export function askedBy(error: unknown, { retryAfter }: Pick<RetryPolicy<never>, 'retryAfter'>): number {
  try {
    const asked = retryAfter(error);
    return typeof asked === 'number' && asked > 0 ? asked : 0;
  } catch {
    return 0;
  }
}
