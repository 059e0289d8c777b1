import { checkFunction, checkOptions } from '@perf/core';
import { BatchItemError } from './batch-item-error.ts';
import type { BatchContext } from './batcher-options.ts';

/** What the `_bulk` endpoint of Elasticsearch and OpenSearch says of one action. */
export interface BulkItem {
  readonly _id?: string | null | undefined;
  readonly status?: number | undefined;
  readonly error?: { readonly type?: string; readonly reason?: string | null } | string | undefined;
}

/** What that endpoint answers: an item per action, in their order, under the name of the action. */
export interface BulkAnswer<Item extends BulkItem> {
  readonly items: readonly Readonly<Partial<Record<string, Item>>>[];
}

/** Options of {@link bulkItems}. */
export interface BulkItemsOptions<Op, Item extends BulkItem> {
  /** Carries out a batch: one action per operation, in their order. */
  readonly execute: (ops: readonly Op[], context: BatchContext) => PromiseLike<BulkAnswer<Item>> | BulkAnswer<Item>;
}

/** Refused for now: the store, or what stands before it, had no room or was not there. */
const RETRYABLE: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504]);

/**
 * An `execute` for a {@link Batcher} out of one that answers as the `_bulk` endpoint of Elasticsearch and OpenSearch does. An operation succeeds with its
 * item, one that deletes what is not there (404, no `error`) too; it fails with a `BatchItemError` if its item has an `error`, retryable if the status
 * is 429, 502, 503 or 504.
 */
export function bulkItems<Op, Item extends BulkItem>(
  options: BulkItemsOptions<Op, Item>,
): (ops: readonly Op[], context: BatchContext) => Promise<(Item | Error)[]> {
  checkOptions('bulkItems', options, ['execute']);
  const execute = checkFunction('execute', options.execute);
  return async (ops, context) => {
    const { items } = await execute(ops, context);
    return items.map((byAction, index) => {
      const [item] = Object.values(byAction);
      if (item === undefined) throw new TypeError(`bulkItems: item ${index} names no action`);
      return item.error === undefined || item.error === null ? item : errorOf(item, index);
    });
  };
}

function errorOf(item: BulkItem, index: number): BatchItemError {
  const { error, status, _id } = item;
  const { type, reason } = typeof error === 'object' ? error : { reason: error };
  return new BatchItemError('PERF_BATCH_ITEM_FAILED', {
    id: _id ?? `${index}`,
    reason: type ?? (status === undefined ? undefined : `${status}`),
    detail: reason ?? undefined,
    retryable: RETRYABLE.has(status),
    cause: item,
  });
}
