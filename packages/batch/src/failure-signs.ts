import { isPerfError } from '@perf/core';

/** What errors of clients say about themselves, where they do: those of `fetch` wrappers, of HTTP clients, of the AWS SDK, and ours. */
interface Signs {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly retryable?: unknown;
  readonly retryAfter?: unknown;
}

/** Answers of a client's own fault that are none: it came too late, too early, or too often. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

const THROTTLED: ReadonlySet<unknown> = new Set([
  'PERF_POOL_SHED',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/** Whether a failure may pass: unless its error says `retryable: false`, or has the status of a request that is wrong as it is (4xx). */
export function mayPass(error: unknown): boolean {
  const { retryable } = signsOf(error);
  if (typeof retryable === 'boolean') return retryable;
  const status = statusOf(error);
  return status === undefined || status < 400 || status > 499 || PASSING.has(status);
}

/** The milliseconds the error asks to wait, if it does. */
export function askedWait(error: unknown): number | undefined {
  const { retryAfter } = signsOf(error);
  return typeof retryAfter === 'number' ? retryAfter : undefined;
}

/** Whether the batch was more than the store takes at once, or gets done in the time it has: a status 413, or a timeout of ours. */
export function saysTooLarge(error: unknown): boolean {
  return statusOf(error) === 413 || isPerfError(error, 'PERF_BATCH_TIMEOUT');
}

/** Whether the store has too much to do: statuses 429 and 503, the names AWS gives it, a shed of `@perf/pool`. */
export function saysOverloaded(error: unknown): boolean {
  const status = statusOf(error);
  const { name, code } = signsOf(error);
  return status === 429 || status === 503 || THROTTLED.has(name) || THROTTLED.has(code);
}

function statusOf(error: unknown): number | undefined {
  const { status, statusCode } = signsOf(error);
  if (typeof status === 'number') return status;
  return typeof statusCode === 'number' ? statusCode : undefined;
}

function signsOf(error: unknown): Signs {
  return typeof error === 'object' && error !== null ? error : {};
}
