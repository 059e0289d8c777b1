import { checkFunction, checkOptions } from '@perf/core';
import { BatchItemError } from './batch-item-error.ts';
import type { BatchContext } from './batcher-options.ts';

/** What DynamoDB's `BatchWriteItem` answers: the requests it left undone, by table. */
export interface UnprocessedItemsAnswer<Request> {
  readonly UnprocessedItems?: Readonly<Record<string, readonly Request[]>> | null | undefined;
}

/** Options of {@link unprocessedItems}. */
export interface UnprocessedItemsOptions<Op, Request> {
  /** Carries out a batch, and answers with what was left undone. */
  readonly execute: (
    ops: readonly Op[],
    context: BatchContext,
  ) => PromiseLike<UnprocessedItemsAnswer<Request>> | UnprocessedItemsAnswer<Request>;
  /** Identifies an operation within its batch, as `idOfRequest` does: table and primary key. */
  readonly idOf: (op: Op) => string;
  /** Identifies a request of the answer. */
  readonly idOfRequest: (request: Request, table: string) => string;
}

/**
 * An `execute` for a {@link Batcher} out of one that answers as DynamoDB's `BatchWriteItem` does. An operation left unprocessed has not taken effect, and
 * fails with a `BatchItemError` (`PERF_BATCH_ITEM_UNPROCESSED`) that is retryable: with `retry` it is sent again, in its place in the order of
 * its key, after an exponential wait as DynamoDB recommends. All others succeed with `undefined`. A request that is none of the
 * batch's fails the batch as a whole, with an unknown outcome.
 */
export function unprocessedItems<Op, Request>(
  options: UnprocessedItemsOptions<Op, Request>,
): (ops: readonly Op[], context: BatchContext) => Promise<(undefined | Error)[]> {
  checkOptions('unprocessedItems', options, ['execute', 'idOf', 'idOfRequest']);
  const execute = checkFunction('execute', options.execute);
  const idOf = checkFunction('idOf', options.idOf);
  const idOfRequest = checkFunction('idOfRequest', options.idOfRequest);
  return async (ops, context) => {
    const ids = ops.map((op) => idOf(op));
    const known = new Set(ids);
    const { UnprocessedItems } = await execute(ops, context);
    const left = new Map<string, Request>();
    for (const [table, requests] of Object.entries(UnprocessedItems ?? {})) {
      for (const request of requests) {
        const id = idOfRequest(request, table);
        if (!known.has(id)) {
          throw new TypeError(`unprocessedItems: ${JSON.stringify(id)} identifies no operation of the batch`);
        }
        left.set(id, request);
      }
    }
    return ids.map((id) => {
      if (!left.has(id)) return undefined;
      return new BatchItemError('PERF_BATCH_ITEM_UNPROCESSED', { id, retryable: true, cause: left.get(id) });
    });
  };
}
