import {
  MAX_TIMER_DELAY,
  checkDuration,
  checkFunction,
  checkOptions,
  checkPositiveInteger,
  checkRange,
} from '@perf/core';
import type { BatchResults } from './batcher-options.ts';
import {
  type DurableQueueOptions,
  QUEUE_OPTIONS,
  type QueueSettings,
  checkSize,
  optionalFunction,
  queueSettings,
} from './durable-options.ts';
import { askedWait, mayPass } from './failure-signs.ts';

/** What `execute` of a {@link durableWorker} is told about the batch it is given. */
export interface DurableBatchContext {
  /** The idempotency key of each operation: give them to the store, so that it applies an operation once that is delivered twice. */
  readonly idempotencyKeys: readonly string[];
  /** The ordering key of each operation. */
  readonly orderingKeys: readonly (string | undefined)[];
  /** The group all operations of the batch belong to. */
  readonly group: string;
  /** The partition they come from. */
  readonly partition: number;
  /**
   * Grows with every turn a worker takes in the partition, on all machines. A store that refuses a smaller one than it has seen for an ordering key (or for the
   * partition) is safe from a worker that was paused for longer than its lock, and goes on.
   */
  readonly fence: number;
  /** Aborts when the turn is lost, when the batch times out, or when the worker is closed by force. */
  readonly signal: AbortSignal;
  /** Which try of these operations this is, from 1, since this worker took them up. Operations of different tries are never mixed. */
  readonly attempt: number;
}

/** How a {@link durableWorker} executes failed operations again. */
export interface DurableRetryOptions<Op> {
  /** How often an operation is tried at most, the first time included. @default 3 */
  readonly attempts?: number | undefined;
  /** Upper bound of the first wait, in milliseconds; it doubles with each attempt. @default 100 */
  readonly baseDelay?: number | undefined;
  /** Upper bound of any wait, in milliseconds. @default 10_000 */
  readonly maxDelay?: number | undefined;
  /** Whether a failure is worth another try: what `execute` returned for the operation or threw for the batch. A throw counts as no. @default every failure is, as for a `Batcher`, unless its error says `retryable: false` or has a `status` or `statusCode` of 4xx other than 408, 425 and 429 */
  readonly isRetryable?: ((error: unknown, op: Op) => boolean) | undefined;
  /** How long the store asks to wait, in milliseconds, told by the error; the wait is no shorter, and may be longer than `maxDelay`. @default what a number `error.retryAfter` says */
  readonly retryAfter?: ((error: unknown) => number | undefined) | undefined;
}

/** Options of {@link durableWorker}. */
export interface DurableWorkerOptions<Op, R> extends DurableQueueOptions {
  /**
   * Carries out a batch; resolves with one result per operation, in their order, an `Error` in a place failing that operation alone. It may be given an operation
   * again that it has carried out before: it must heed `idempotencyKeys`. Runs in the async context in which the worker was made.
   */
  readonly execute: (
    ops: readonly Op[],
    context: DurableBatchContext,
  ) => PromiseLike<BatchResults<R>> | BatchResults<R>;
  /** The group of an operation. A batch holds operations of one group only. @default one group, `'default'` */
  readonly groupBy?: ((op: Op) => string) | undefined;
  /** The most operations in a batch, up to 5,000. Jobs that wait are put together up to it. @default 100 */
  readonly maxSize?: number | undefined;
  /**
   * The most operations of one ordering key in a batch. With more than 1 hot keys are faster, but an operation that failed while a later one of its key in the same
   * batch took effect is not tried again: it becomes a dead letter. @default 1
   */
  readonly maxPerKey?: number | undefined;
  /** Tries failed operations again, at their place: later ones of their key wait. @default 3 attempts */
  readonly retry?: DurableRetryOptions<Op> | undefined;
  /** How long one call of `execute` may take, in milliseconds. @default Infinity */
  readonly timeout?: number | undefined;
  /** How long results are kept in Redis, in milliseconds: for callers, and to know operations that are added or delivered again. @default 86_400_000, a day */
  readonly resultTtl?: number | undefined;
  /** The most bytes, as JSON, of a result that is kept; a larger one is lost, as one that is no JSON. @default 1_048_576 */
  readonly maxResultBytes?: number | undefined;
  /** How long, in milliseconds, a worker may give no sign of life before another takes over its partitions; at least 100. @default 15_000 */
  readonly lockDuration?: number | undefined;
  /** How often workers may die while they execute an operation before it becomes a dead letter; from the second on it is executed alone. @default 5 */
  readonly maxCrashes?: number | undefined;
}

export interface DurableRetryPolicy<Op> {
  readonly attempts: number;
  readonly baseDelay: number;
  readonly maxDelay: number;
  readonly isRetryable: (error: unknown, op: Op) => boolean;
  readonly retryAfter: (error: unknown) => number | undefined;
}

export type DurableWorkerSettings<Op, R> = QueueSettings & {
  readonly execute: DurableWorkerOptions<Op, R>['execute'];
  readonly groupBy: ((op: Op) => string) | undefined;
  readonly maxSize: number;
  readonly maxPerKey: number;
  readonly retry: DurableRetryPolicy<Op>;
  readonly timeout: number;
  readonly resultTtl: number;
  readonly maxResultBytes: number;
  readonly lockDuration: number;
  readonly maxCrashes: number;
};

const KNOWN = [
  ...QUEUE_OPTIONS,
  'execute',
  'groupBy',
  'maxSize',
  'maxPerKey',
  'retry',
  'timeout',
  'resultTtl',
  'maxResultBytes',
  'lockDuration',
  'maxCrashes',
] as const;

const DAY = 86_400_000;
const ANY_DELAY = { min: 0, max: MAX_TIMER_DELAY } as const;

export function durableWorkerSettings<Op, R>(options: DurableWorkerOptions<Op, R>): DurableWorkerSettings<Op, R> {
  checkOptions('durableWorker', options, KNOWN);
  const { maxSize = 100, maxPerKey = 1, timeout = Infinity, resultTtl = DAY, lockDuration = 15_000 } = options;
  const { maxCrashes = 5, maxResultBytes = 1_048_576, retry = {} } = options;
  return {
    ...queueSettings(options),
    execute: checkFunction('execute', options.execute),
    groupBy: optionalFunction('groupBy', options.groupBy),
    maxSize: checkSize('maxSize', maxSize),
    maxPerKey: checkPositiveInteger('maxPerKey', maxPerKey),
    retry: retrySettings(retry),
    timeout: checkDuration('timeout', timeout),
    // Redis takes milliseconds as a 64-bit integer, and adds them to the time.
    resultTtl: Math.ceil(checkRange('resultTtl', resultTtl, { min: 1, max: 2 ** 52 })),
    maxResultBytes: checkPositiveInteger('maxResultBytes', maxResultBytes),
    lockDuration: Math.ceil(checkRange('lockDuration', lockDuration, { min: 100, max: MAX_TIMER_DELAY })),
    maxCrashes: checkPositiveInteger('maxCrashes', maxCrashes),
  };
}

function retrySettings<Op>(options: DurableRetryOptions<Op>): DurableRetryPolicy<Op> {
  checkOptions('`retry`', options, ['attempts', 'baseDelay', 'maxDelay', 'isRetryable', 'retryAfter']);
  const { attempts = 3, baseDelay = 100, maxDelay = 10_000, isRetryable = mayPass } = options;
  const { retryAfter = askedWait } = options;
  return {
    attempts: checkPositiveInteger('retry.attempts', attempts),
    baseDelay: checkRange('retry.baseDelay', baseDelay, ANY_DELAY),
    maxDelay: checkRange('retry.maxDelay', maxDelay, ANY_DELAY),
    isRetryable: checkFunction('retry.isRetryable', isRetryable),
    retryAfter: checkFunction('retry.retryAfter', retryAfter),
  };
}
