import { checkName } from '@perf/core';
import { DurableSerializationError, DurableTooLargeError } from './durable-errors.ts';
import type { JobOperation } from './durable-job.ts';
import { partitionOf } from './partition-of.ts';
import { currentTraceparent } from './traceparent.ts';

/** An operation on its way to Redis. */
export interface Outgoing {
  readonly key: string;
  readonly orderingKey: string | undefined;
  readonly partition: number;
  /** The operation as JSON, as it was when it was added. */
  readonly json: string;
  readonly bytes: number;
  readonly traceparent: string | undefined;
}

/** What {@link packOperation} needs to know beside the operation. */
export interface PackOptions {
  readonly key: string;
  readonly orderingKey: string | undefined;
  readonly partitions: number;
  readonly maxBytes: number;
}

/** Takes down an operation. Throws a typed error for one that is no JSON, or too large. */
export function packOperation(op: unknown, { key, orderingKey, partitions, maxBytes }: PackOptions): Outgoing {
  checkName('idempotencyKey', key);
  if (orderingKey !== undefined && typeof orderingKey !== 'string') {
    throw new TypeError(`\`orderingKey(op)\` must be a string or undefined, got a ${typeof orderingKey}`);
  }
  const json = toJson(op, key);
  const bytes = Buffer.byteLength(json);
  if (bytes > maxBytes) throw new DurableTooLargeError(key, bytes, maxBytes);
  // Without an order to keep, the same operation still has to meet itself.
  const partition = partitionOf(orderingKey ?? key, partitions);
  return { key, orderingKey, partition, json, bytes, traceparent: currentTraceparent() };
}

/** An operation as a job carries it. */
export function onTheWire({ key, orderingKey, json, traceparent }: Outgoing): JobOperation {
  return {
    i: key,
    ...(orderingKey !== undefined && { k: orderingKey }),
    v: JSON.parse(json) as unknown,
    ...(traceparent !== undefined && { t: traceparent }),
  };
}

function toJson(op: unknown, key: string): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(op);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : 'it cannot be read';
    throw new DurableSerializationError({ key, part: 'operation' }, problem, cause);
  }
  if (json === undefined) throw new DurableSerializationError({ key, part: 'operation' }, `it is a ${typeof op}`);
  return json;
}
