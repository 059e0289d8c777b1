import {
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  isPerfError,
} from '@perf/core';
import { type RetryOptions, type RetryPolicy, retryPolicy } from './retry-policy.ts';
import { type AdaptiveOptions, type Sizing, sizingFor } from './sizing.ts';

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
  /**
   * The most operations in a batch. `Infinity` for no limit.
   * @default it is found by itself, from 100 on and up to 10_000: the smallest with nearly the best throughput
   */
  readonly maxSize?: number | undefined;
  /** The most bytes in a batch, as `sizeOf` counts them. One operation that is larger by itself is sent alone. @default Infinity */
  readonly maxBytes?: number | undefined;
  /** Size of an operation, zero or more. Needed for `maxBytes`. */
  readonly sizeOf?: ((op: Op) => number) | undefined;
  /**
   * How long, in milliseconds, a batch that is not full waits for more. `Infinity` waits until it is full or flushed. It ends when the batcher itself is full.
   * @default a batch is sent at the end of the tick while a slot is free, and grows while none is
   */
  readonly linger?: number | undefined;
  /** How many batches run at once, over all groups. `Infinity` for no limit. @default 4 */
  readonly concurrency?: number | undefined;
  /** The group of an operation. A batch holds operations of one group only. @default one group, `'default'` */
  readonly groupBy?: ((op: Op) => string) | undefined;
  /**
   * In which order groups that wait are sent; groups not named here come last, in turn. It never breaks the order of one `orderingKey`, and
   * starves nobody: what has been passed over 8 times comes first, the longest first. @default ['read', 'write', 'delete', 'create']
   */
  readonly groupOrder?: readonly string[] | undefined;
  /**
   * Operations with the same key (compared as in a `Map`) take effect in the order they were added: one is sent together with the ones before
   * it, or when those have settled, retries included. `undefined` means no order.
   */
  readonly orderingKey?: ((op: Op) => unknown) | undefined;
  /**
   * What is kept of the order in which operations were added:
   * - `'key'`: that of operations with the same `orderingKey`;
   * - `'strict'`: all of it. A batch holds a run of operations of one group, and one batch runs at a time;
   * - `'none'`: nothing; `orderingKey` is not asked.
   * @default 'key'
   */
  readonly order?: 'key' | 'strict' | 'none' | undefined;
  /**
   * Priority of an operation: higher goes first, before `groupOrder`, as far as the order of its key allows; what comes before it in its key is as urgent as it is.
   * It starves nobody: see `groupOrder`. Meant for a few different values. @default 0
   */
  readonly priority?: ((op: Op) => number) | undefined;
  /**
   * Marks an operation as a read: equal reads of one group share one execution while it is under way, but never across an operation of the
   * same `orderingKey` that is no read (`undefined`). Reads without an `orderingKey` are not shared across any such operation without one.
   */
  readonly dedupeKey?: ((op: Op) => unknown) | undefined;
  /**
   * Makes one operation of two of the same `orderingKey`, group and priority, when the earlier was not sent yet and nothing of that key came between them: it takes the place of the earlier, and its
   * outcome is that of both. `undefined` keeps them apart. It must not change its arguments. What a caller of one of them adds stays in it, even if that caller leaves.
   * Reads (`dedupeKey`) are not merged. Needs `orderingKey`, and `order: 'key'`.
   * @default nothing is merged
   */
  readonly merge?: ((earlier: Op, later: Op) => Op | undefined) | undefined;
  /** How many operations may be unsettled at once. Shared reads and merged operations count once. @default Infinity */
  readonly maxPending?: number | undefined;
  /**
   * How many bytes may be unsettled at once, as `sizeOf` counts them, which it needs. An operation that is larger by itself is taken when nothing else is pending.
   * @default Infinity
   */
  readonly maxPendingBytes?: number | undefined;
  /**
   * What happens to an operation for which there is no room: `'reject'` refuses it with a `QueueFullError`; `'wait'` lets it wait, first come, first served, until there is.
   * What waits counts for neither limit. Inside `execute`, awaiting an operation added there can wait for itself. @default 'reject'
   */
  readonly whenFull?: 'reject' | 'wait' | undefined;
  /** Sends failed operations again. @default never */
  readonly retry?: RetryOptions<Op> | undefined;
  /**
   * Whether a throw of `execute` means that no operation of the batch has taken effect, as for a store that carries it out as one transaction; a
   * function says so for what was thrown; whatever but `true`, a throw or a promise too, counts as no. All of them may be sent again then, and reject with `outcomeUnknown: false`. A timeout
   * is no throw. @default false
   */
  readonly atomic?: boolean | ((error: unknown) => boolean) | undefined;
  /**
   * Whether a batch that fails as a whole, and is not retried (any more), is sent again in halves, one after the other, and these in halves, until the operations
   * at fault are alone and the others have succeeded. Only operations that may be sent twice take part: those `isIdempotent` says so of, or
   * all if the failure is `atomic`. A function says so for what was thrown. @default true, except after a timeout
   */
  readonly bisect?: boolean | ((error: unknown) => boolean) | undefined;
  /**
   * Lets the size of batches follow what is measured, for each group, up to `maxSize`: with a `targetLatency` to what keeps to it, else to what has the best throughput.
   * @default true without `maxSize`; with it, batches hold that many
   */
  readonly adaptive?: AdaptiveOptions | boolean | undefined;
  /** How long one call of `execute` may take, in milliseconds. @default Infinity */
  readonly timeout?: number | undefined;
  /** Names the batcher in errors, metrics and spans. @default 'default' */
  readonly name?: string | undefined;
}

/** {@link BatcherOptions}, checked, with their defaults. */
export interface BatcherSettings<Op, R> {
  readonly execute: BatcherOptions<Op, R>['execute'];
  readonly sizing: Sizing;
  readonly maxBytes: number;
  readonly sizeOf: ((op: Op) => number) | undefined;
  readonly linger: number | undefined;
  readonly concurrency: number;
  readonly groupBy: ((op: Op) => string) | undefined;
  readonly groupOrder: readonly string[];
  readonly orderingKey: ((op: Op) => unknown) | undefined;
  readonly dedupeKey: ((op: Op) => unknown) | undefined;
  readonly merge: BatcherOptions<Op, R>['merge'];
  readonly priority: ((op: Op) => number) | undefined;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly whenFull: 'reject' | 'wait';
  readonly retry: RetryPolicy<Op>;
  readonly atomic: (error: unknown) => boolean;
  readonly bisect: (error: unknown) => boolean;
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
  'merge',
  'maxPending',
  'maxPendingBytes',
  'whenFull',
  'order',
  'priority',
  'retry',
  'atomic',
  'bisect',
  'adaptive',
  'timeout',
  'name',
] as const;

export function batcherSettings<Op, R>(options: BatcherOptions<Op, R>): BatcherSettings<Op, R> {
  checkOptions('Batcher', options, KNOWN);
  const { maxBytes = Infinity, concurrency = 4, maxPending = Infinity, timeout = Infinity } = options;
  const { groupOrder = ['read', 'write', 'delete', 'create'], name = 'default', linger, sizeOf, retry } = options;
  const { maxPendingBytes = Infinity, whenFull = 'reject' } = options;
  if (maxBytes !== Infinity && sizeOf === undefined) throw new TypeError('`maxBytes` needs `sizeOf`');
  if (maxPendingBytes !== Infinity && sizeOf === undefined) throw new TypeError('`maxPendingBytes` needs `sizeOf`');
  return {
    execute: checkFunction('execute', options.execute),
    sizing: sizingFor(options, concurrency),
    maxBytes: maxBytes === Infinity ? Infinity : checkPositiveInteger('maxBytes', maxBytes),
    sizeOf: optionalFunction('sizeOf', sizeOf),
    linger: linger === undefined ? undefined : checkDuration('linger', linger),
    concurrency: checkLimit('concurrency', concurrency),
    groupBy: optionalFunction('groupBy', options.groupBy),
    groupOrder: checkGroupOrder(groupOrder),
    orderingKey: orderedBy(options),
    dedupeKey: optionalFunction('dedupeKey', options.dedupeKey),
    merge: mergedBy(options),
    priority: optionalFunction('priority', options.priority),
    maxPending: checkLimit('maxPending', maxPending),
    maxPendingBytes: maxPendingBytes === Infinity ? Infinity : checkPositiveInteger('maxPendingBytes', maxPendingBytes),
    whenFull: checkOneOf('whenFull', whenFull, ['reject', 'wait']),
    retry: retryPolicy(retry),
    atomic: judgement('atomic', options.atomic ?? false, always),
    bisect: judgement('bisect', options.bisect ?? true, isNoTimeout),
    timeout: checkDuration('timeout', timeout),
    name: checkName('name', name),
  };
}

function optionalFunction<F>(name: string, value: F | undefined): F | undefined {
  return value === undefined ? undefined : checkFunction(name, value);
}

/** A decision about what `execute` threw, which never throws: `true` means `usual`. A promise for an answer is none. */
function judgement(
  name: string,
  given: boolean | ((error: unknown) => boolean),
  usual: (error: unknown) => boolean,
): (error: unknown) => boolean {
  if (given === false) return () => false;
  const decide = given === true ? usual : checkFunction(name, given);
  return (error) => {
    try {
      return decide(error) === true;
    } catch {
      return false;
    }
  };
}

function always(): boolean {
  return true;
}

/** A slow store does not get faster by more calls. */
function isNoTimeout(error: unknown): boolean {
  return !isPerfError(error, 'PERF_BATCH_TIMEOUT');
}

/** The one key of all operations in strict order. */
const EVERYTHING: unique symbol = Symbol('everything');

function orderedBy<Op, R>({ order = 'key', orderingKey }: BatcherOptions<Op, R>): ((op: Op) => unknown) | undefined {
  const byKey = optionalFunction('orderingKey', orderingKey);
  checkOneOf('order', order, ['key', 'strict', 'none']);
  if (order === 'strict') return () => EVERYTHING;
  return order === 'none' ? undefined : byKey;
}

function mergedBy<Op, R>({ merge, order = 'key', orderingKey }: BatcherOptions<Op, R>): typeof merge {
  if (merge === undefined) return undefined;
  if (orderingKey === undefined || order !== 'key')
    throw new TypeError("`merge` needs `orderingKey`, and `order: 'key'`");
  return checkFunction('merge', merge);
}

function checkGroupOrder(order: readonly string[]): readonly string[] {
  const strings = Array.isArray(order) && order.every((group) => typeof group === 'string');
  if (!strings || new Set(order).size !== order.length) {
    throw new TypeError('`groupOrder` must be an array of different strings');
  }
  return [...order];
}
