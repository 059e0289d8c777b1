import { PerfError } from '@perf/core';

/** What a {@link BatchItemError} reports. */
export interface BatchItemFacts extends ErrorOptions {
  /** What the store calls the operation. */
  readonly id: string;
  /** The store's own code or type for what went wrong, if it gave one. */
  readonly reason?: string | undefined;
  /** Whether it is worth sending again, as far as the store tells. */
  readonly retryable: boolean;
  /** The store's own words. */
  readonly detail?: string | undefined;
}

/**
 * The answer of a store said that one operation failed, or was left undone (`PERF_BATCH_ITEM_FAILED`, `PERF_BATCH_ITEM_UNPROCESSED`). Made by
 * the adapters of this package; `cause` is what the store said.
 */
export class BatchItemError extends PerfError {
  /** What the store calls the operation. */
  readonly id: string;
  /** The store's own code or type for what went wrong, if it gave one. */
  readonly reason: string | undefined;
  /** Whether it is worth sending again; a `Batcher` with `retry` heeds it. */
  readonly retryable: boolean;

  constructor(code: 'PERF_BATCH_ITEM_FAILED' | 'PERF_BATCH_ITEM_UNPROCESSED', facts: BatchItemFacts) {
    const { id, reason, retryable, detail } = facts;
    const what = code === 'PERF_BATCH_ITEM_FAILED' ? 'failed' : 'was left unprocessed';
    const why = [reason, detail].filter((part) => part !== undefined).join(': ');
    super(code, `operation ${JSON.stringify(id)} ${what}${why === '' ? '' : `: ${why}`}`, facts);
    this.id = id;
    this.reason = reason;
    this.retryable = retryable;
  }

  override get name(): string {
    return 'BatchItemError';
  }
}
