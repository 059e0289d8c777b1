import { checkBoolean, checkFunction, checkOptions } from '@perf/core';
import { BatchItemError } from './batch-item-error.ts';
import type { BatchContext } from './batcher-options.ts';

/** The partial batch response of AWS Lambda, for SQS, Kinesis and DynamoDB streams: which items failed. */
export interface BatchItemFailuresAnswer {
  readonly batchItemFailures?: readonly { readonly itemIdentifier?: string | null }[] | null | undefined;
}

/** Options of {@link batchItemFailures}. */
export interface BatchItemFailuresOptions<Op> {
  /** Carries out a batch, and answers with the items that failed. */
  readonly execute: (
    ops: readonly Op[],
    context: BatchContext,
  ) =>
    | PromiseLike<BatchItemFailuresAnswer | null | undefined | void>
    | BatchItemFailuresAnswer
    | null
    | undefined
    | void;
  /** The identifier of an operation: the message id of SQS, the sequence number of a stream. Different for each. */
  readonly idOf: (op: Op) => string;
  /** As for a stream: the first failure is a checkpoint, and all after it count as failed with it. @default false */
  readonly stream?: boolean | undefined;
}

/**
 * An `execute` for a {@link Batcher} out of one that answers as a Lambda function with `ReportBatchItemFailures` does. Operations that are not
 * named succeed with `undefined`; no answer, none of the property, `null` or an empty list means that all did. One named fails with a
 * `BatchItemError` that is retryable. A blank, `null` or unknown identifier fails the batch as a whole, with an unknown outcome.
 */
export function batchItemFailures<Op>(
  options: BatchItemFailuresOptions<Op>,
): (ops: readonly Op[], context: BatchContext) => Promise<(undefined | Error)[]> {
  checkOptions('batchItemFailures', options, ['execute', 'idOf', 'stream']);
  const execute = checkFunction('execute', options.execute);
  const idOf = checkFunction('idOf', options.idOf);
  const stream = checkBoolean('stream', options.stream ?? false);
  return async (ops, context) => {
    const ids = ops.map((op) => idOf(op));
    const failed = namedIn((await execute(ops, context)) as BatchItemFailuresAnswer | null | undefined, new Set(ids));
    const first = ids.findIndex((id) => failed.has(id));
    return ids.map((id, index) => {
      if (failed.has(id)) return new BatchItemError('PERF_BATCH_ITEM_FAILED', { id, retryable: true });
      if (!stream || first === -1 || index < first) return undefined;
      const detail = `comes after ${JSON.stringify(ids[first])}, which failed`;
      return new BatchItemError('PERF_BATCH_ITEM_UNPROCESSED', { id, retryable: true, detail });
    });
  };
}

function namedIn(answer: BatchItemFailuresAnswer | null | undefined, known: ReadonlySet<string>): Set<string> {
  const items = answer?.batchItemFailures ?? [];
  if (!Array.isArray(items)) throw new TypeError('batchItemFailures: `batchItemFailures` is no array');
  const failed = new Set<string>();
  for (const item of items as readonly ({ readonly itemIdentifier?: unknown } | null | undefined)[]) {
    const id = item?.itemIdentifier;
    if (typeof id !== 'string' || id === '' || !known.has(id)) {
      const shown = typeof id === 'string' ? JSON.stringify(id) : String(id);
      throw new TypeError(
        `batchItemFailures: ${shown} identifies no operation of the batch, so that all count as failed`,
      );
    }
    failed.add(id);
  }
  return failed;
}
