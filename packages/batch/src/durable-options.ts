import { checkDuration, checkFunction, checkLimit, checkName, checkOptions, checkPositiveInteger } from '@perf/core';
import type { DurableConnection } from './durable-connection.ts';

/** What producers and workers of a durable queue have in common. */
export interface DurableQueueOptions {
  /** Names the queue: all producers and workers with this name and `prefix` share it. No `:`. */
  readonly name: string;
  /** The Redis to use. */
  readonly connection: DurableConnection;
  /** What all keys in Redis start with. @default 'bull', as in BullMQ */
  readonly prefix?: string | undefined;
  /**
   * In how many partitions operations are divided by their key, each one BullMQ queue. So many batches at most are executed at once, on all machines together. All
   * that take part must agree; it cannot be changed while the queue exists. @default 8
   */
  readonly partitions?: number | undefined;
  /** Told of every error that is not a caller's: a lost connection, a lost turn. What it throws is dropped. @default nothing is told */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Options of {@link durableBatcher}. */
export interface DurableBatcherOptions<Op> extends DurableQueueOptions {
  /** Operations with the same key take effect in the order one producer added them. @default no order */
  readonly orderingKey?: ((op: Op) => string | undefined) | undefined;
  /** What makes the operation the same when it is added again. @default a random one for each `add` */
  readonly idempotencyKey?: ((op: Op) => string) | undefined;
  /** The most operations in a job, up to 5,000. @default 100 */
  readonly maxSize?: number | undefined;
  /** The most bytes, as JSON, of the operations in a job; a larger operation is refused. @default 1_048_576 */
  readonly maxBytes?: number | undefined;
  /** How long, in milliseconds, a job that is not full waits for more. @default until the end of the tick while none of its partition is being sent, else until that one is durable */
  readonly linger?: number | undefined;
  /** How many operations may wait here for being durable; one more is refused. @default 100_000 */
  readonly maxPending?: number | undefined;
}

export type DurableBatcherSettings<Op> = QueueSettings & {
  readonly orderingKey: ((op: Op) => string | undefined) | undefined;
  readonly idempotencyKey: ((op: Op) => string) | undefined;
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly linger: number | undefined;
  readonly maxPending: number;
};

/** What {@link DurableQueueOptions} come to. */
export interface QueueSettings {
  readonly name: string;
  readonly connection: DurableConnection;
  readonly prefix: string;
  readonly partitions: number;
  readonly onError: (error: unknown) => void;
}

export const QUEUE_OPTIONS = ['name', 'connection', 'prefix', 'partitions', 'onError'] as const;

/** Scripts hand over a job's keys on Lua's stack, which has room for 8,000 values. */
export const MOST_OPERATIONS = 5000;

const KNOWN = [
  ...QUEUE_OPTIONS,
  'orderingKey',
  'idempotencyKey',
  'maxSize',
  'maxBytes',
  'linger',
  'maxPending',
] as const;

export function durableBatcherSettings<Op>(options: DurableBatcherOptions<Op>): DurableBatcherSettings<Op> {
  checkOptions('durableBatcher', options, KNOWN);
  const { maxSize = 100, maxBytes = 1_048_576, maxPending = 100_000, linger, orderingKey, idempotencyKey } = options;
  return {
    ...queueSettings(options),
    orderingKey: optionalFunction('orderingKey', orderingKey),
    idempotencyKey: optionalFunction('idempotencyKey', idempotencyKey),
    maxSize: checkSize('maxSize', maxSize),
    maxBytes: checkPositiveInteger('maxBytes', maxBytes),
    linger: linger === undefined ? undefined : checkDuration('linger', linger),
    maxPending: checkLimit('maxPending', maxPending),
  };
}

export function queueSettings(options: DurableQueueOptions): QueueSettings {
  const { prefix = 'bull', partitions = 8, onError = () => {} } = options;
  checkFunction('onError', onError);
  return {
    name: checkNoColon('name', options.name),
    connection: options.connection,
    prefix: checkName('prefix', prefix),
    partitions: checkPositiveInteger('partitions', partitions),
    onError: (error) => {
      try {
        onError(error);
      } catch {}
    },
  };
}

export function checkSize(name: string, value: number): number {
  if (checkPositiveInteger(name, value) > MOST_OPERATIONS) {
    throw new RangeError(`\`${name}\` must be at most ${MOST_OPERATIONS}, got ${value}`);
  }
  return value;
}

export function optionalFunction<F>(name: string, value: F | undefined): F | undefined {
  return value === undefined ? undefined : checkFunction(name, value);
}

function checkNoColon(name: string, value: string): string {
  if (!checkName(name, value).includes(':')) return value;
  throw new TypeError(`\`${name}\` must have no colon, got ${JSON.stringify(value)}`);
}
