import { checkDuration, checkFunction, checkLimit, checkName, checkOptions, checkPositiveInteger } from '@perf/core';
import { type RetryOptions, type RetryPolicy, retryPolicy } from './retry-policy.ts';

/** What `execute` is told about the batch it is given. */
export interface BatchContext {
  /** The group all operations of the batch belong to. */
  readonly group: string;
  /** Aborts when the batch times out, when nobody waits for any of its operations any more, or when the batcher is closed by force. */
  readonly signal: AbortSignal;
  /** Which try of these operations this is, from 1. Operations of different tries are never mixed. */
  readonly attempt: number;
}

/** What `execute` answers: one result per operation, in their order; an `Error` fails its operation alone. */
export type BatchResults<R> = ReadonlyArray<R | Error>;

/** Options of a {@link Batcher}. */
export interface BatcherOptions<Op, R> {
  /**
   * Carries out a batch. The array is frozen: results are matched to operations by index, so their order must stay.
   * What it throws fails the batch with an unknown outcome. Runs in the async context in which the batcher was made.
   */
  readonly execute: (ops: readonly Op[], context: BatchContext) => PromiseLike<BatchResults<R>> | BatchResults<R>;
  /** The most operations in a batch. `Infinity` for no limit. @default 100 */
  readonly maxSize?: number | undefined;
  /** The most bytes in a batch, as `sizeOf` counts them. One operation that is larger by itself is sent alone. @default Infinity */
  readonly maxBytes?: number | undefined;
  /** Size of an operation, zero or more. Needed for `maxBytes`. */
  readonly sizeOf?: ((op: Op) => number) | undefined;
  /**
   * How long, in milliseconds, a batch that is not full waits for more. `Infinity` waits until it is full or flushed.
   * @default a batch is sent at the end of the tick while a slot is free, and grows while none is
   */
  readonly linger?: number | undefined;
  /** How many batches run at once, over all groups. `Infinity` for no limit. @default 4 */
  readonly concurrency?: number | undefined;
  /** The group of an operation. A batch holds operations of one group only. @default one group, `'default'` */
  readonly groupBy?: ((op: Op) => string) | undefined;
  /**
   * In which order groups that wait are sent; groups not named here come last, in turn. It never breaks the order of one `orderingKey`, and
   * starves nobody: who has been passed over 8 times comes first. @default ['read', 'write', 'delete', 'create']
   */
  readonly groupOrder?: readonly string[] | undefined;
  /**
   * Operations with the same key (compared as in a `Map`) take effect in the order they were added: one is sent together with the ones before
   * it, or when those have settled, retries included. `undefined` means no order.
   */
  readonly orderingKey?: ((op: Op) => unknown) | undefined;
  /**
   * Marks an operation as a read: equal reads of one group share one execution while it is under way, but never across an operation of the
   * same `orderingKey` that is no read (`undefined`). Reads without an `orderingKey` are not shared across any such operation without one.
   */
  readonly dedupeKey?: ((op: Op) => unknown) | undefined;
  /** How many operations may be unsettled at once; one more is refused. Shared reads count once. @default Infinity */
  readonly maxPending?: number | undefined;
  /** Sends failed operations again. @default never */
  readonly retry?: RetryOptions<Op> | undefined;
  /** How long one call of `execute` may take, in milliseconds. @default Infinity */
  readonly timeout?: number | undefined;
  /** Names the batcher in errors, metrics and spans. @default 'default' */
  readonly name?: string | undefined;
}

/** {@link BatcherOptions}, checked, with their defaults. */
export interface BatcherSettings<Op, R> {
  readonly execute: BatcherOptions<Op, R>['execute'];
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly sizeOf: ((op: Op) => number) | undefined;
  readonly linger: number | undefined;
  readonly concurrency: number;
  readonly groupBy: ((op: Op) => string) | undefined;
  readonly groupOrder: readonly string[];
  readonly orderingKey: ((op: Op) => unknown) | undefined;
  readonly dedupeKey: ((op: Op) => unknown) | undefined;
  readonly maxPending: number;
  readonly retry: RetryPolicy<Op> | undefined;
  readonly timeout: number;
  readonly name: string;
}

const KNOWN = [
  'execute',
  'maxSize',
  'maxBytes',
  'sizeOf',
  'linger',
  'concurrency',
  'groupBy',
  'groupOrder',
  'orderingKey',
  'dedupeKey',
  'maxPending',
  'retry',
  'timeout',
  'name',
] as const;

export function batcherSettings<Op, R>(options: BatcherOptions<Op, R>): BatcherSettings<Op, R> {
  checkOptions('Batcher', options, KNOWN);
  const { maxSize = 100, maxBytes = Infinity, concurrency = 4, maxPending = Infinity, timeout = Infinity } = options;
  const { groupOrder = ['read', 'write', 'delete', 'create'], name = 'default', linger, sizeOf, retry } = options;
  if (maxBytes !== Infinity && sizeOf === undefined) throw new TypeError('`maxBytes` needs `sizeOf`');
  return {
    execute: checkFunction('execute', options.execute),
    maxSize: checkLimit('maxSize', maxSize),
    maxBytes: maxBytes === Infinity ? Infinity : checkPositiveInteger('maxBytes', maxBytes),
    sizeOf: optionalFunction('sizeOf', sizeOf),
    linger: linger === undefined ? undefined : checkDuration('linger', linger),
    concurrency: checkLimit('concurrency', concurrency),
    groupBy: optionalFunction('groupBy', options.groupBy),
    groupOrder: checkGroupOrder(groupOrder),
    orderingKey: optionalFunction('orderingKey', options.orderingKey),
    dedupeKey: optionalFunction('dedupeKey', options.dedupeKey),
    maxPending: checkLimit('maxPending', maxPending),
    retry: retry === undefined ? undefined : retryPolicy(retry),
    timeout: checkDuration('timeout', timeout),
    name: checkName('name', name),
  };
}

function optionalFunction<F>(name: string, value: F | undefined): F | undefined {
  return value === undefined ? undefined : checkFunction(name, value);
}

function checkGroupOrder(order: readonly string[]): readonly string[] {
  const strings = Array.isArray(order) && order.every((group) => typeof group === 'string');
  if (!strings || new Set(order).size !== order.length) {
    throw new TypeError('`groupOrder` must be an array of different strings');
  }
  return [...order];
}
