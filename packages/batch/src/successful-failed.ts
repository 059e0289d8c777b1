import { checkFunction, checkOptions } from '@perf/core';
import { BatchItemError } from './batch-item-error.ts';
import type { BatchContext } from './batcher-options.ts';

/** An entry of `Failed`, as SQS and SNS give it. */
export interface FailedEntry {
  readonly Id?: string | undefined;
  readonly Code?: string | undefined;
  readonly Message?: string | undefined;
  readonly SenderFault?: boolean | undefined;
}

/** What the batch calls of SQS and SNS answer. Their entries come in any order. */
export interface SuccessfulFailedAnswer<Entry extends { readonly Id?: string | undefined }> {
  readonly Successful?: readonly Entry[] | undefined;
  readonly Failed?: readonly FailedEntry[] | undefined;
}

/** Options of {@link successfulFailed}. */
export interface SuccessfulFailedOptions<Op, Entry extends { readonly Id?: string | undefined }> {
  /** Carries out a batch, giving the entry of `ops[i]` the `Id` that `ids[i]` is. */
  readonly execute: (
    ops: readonly Op[],
    ids: readonly string[],
    context: BatchContext,
  ) => PromiseLike<SuccessfulFailedAnswer<Entry>> | SuccessfulFailedAnswer<Entry>;
}

/**
 * An `execute` for a {@link Batcher} out of one that answers as `SendMessageBatch`, `DeleteMessageBatch` and `PublishBatch` do. An operation succeeds
 * with its entry of `Successful`, and fails with a `BatchItemError` for its entry of `Failed`, retryable unless `SenderFault`. One that is in
 * neither fails with a `BatchResultError`, its outcome unknown; entries with other ids are ignored.
 */
export function successfulFailed<Op, Entry extends { readonly Id?: string | undefined }>(
  options: SuccessfulFailedOptions<Op, Entry>,
): (ops: readonly Op[], context: BatchContext) => Promise<(Entry | Error)[]> {
  checkOptions('successfulFailed', options, ['execute']);
  const execute = checkFunction('execute', options.execute);
  return async (ops, context) => {
    const ids = ops.map((_, index) => `${index}`);
    const { Successful = [], Failed = [] } = await execute(ops, ids, context);
    const results: (Entry | Error)[] = [];
    // A place left empty is an operation without an answer.
    results.length = ops.length;
    const places = new Map(ids.map((id, index) => [id, index]));
    const put = (id: string | undefined, result: Entry | Error): void => {
      const place = id === undefined ? undefined : places.get(id);
      if (place !== undefined) results[place] = result;
    };
    for (const entry of Successful) put(entry.Id, entry);
    for (const entry of Failed) put(entry.Id, errorOf(entry));
    return results;
  };
}

function errorOf(entry: FailedEntry): BatchItemError {
  const { Id = '', Code, Message, SenderFault } = entry;
  const facts = { id: Id, reason: Code, detail: Message, retryable: SenderFault !== true, cause: entry };
  return new BatchItemError('PERF_BATCH_ITEM_FAILED', facts);
}
