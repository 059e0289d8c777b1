/**
 * A snapshot of a {@link Batcher}. The counters only grow. At any moment `added` is the sum of `pending`, `parked`, `succeeded`, `failed`, `withdrawn`
 * and `expired`; calls counted as `shared`, `merged` or `refused` added nothing.
 */
export interface BatcherStats {
  /** Operations added and not settled yet: waiting, being executed, or waiting for another attempt. */
  readonly pending: number;
  /** Their bytes, as `sizeOf` counts them. */
  readonly pendingBytes: number;
  /** Operations that wait for room in the batcher (`whenFull: 'wait'`); they are not pending yet. */
  readonly parked: number;
  /** Batches being executed. */
  readonly inFlight: number;
  /** Groups with unsettled operations. */
  readonly groups: number;
  /** Ordering keys with operations that wait or are being executed. */
  readonly orderingKeys: number;
  /** Operations accepted, those that wait for room included. */
  readonly added: number;
  /** Calls of `add` that were given the result of an operation already under way. */
  readonly shared: number;
  /** Operations that became part of one that waited (`merge`). */
  readonly merged: number;
  /** Operations refused: the batcher was full. */
  readonly refused: number;
  /** Operations that succeeded. */
  readonly succeeded: number;
  /** Operations that failed for good. */
  readonly failed: number;
  /** Operations whose callers have all gone, the last of them on a signal, and those left over by `close({ timeout })`. */
  readonly withdrawn: number;
  /** Operations whose callers have all gone, the last of them because its `timeout` was up. */
  readonly expired: number;
  /** How often an operation was to be sent again. */
  readonly retried: number;
  /** Operations that failed for good because the retry budget was used up. */
  readonly denied: number;
  /** Calls of `execute`. */
  readonly batches: number;
  /** Parts made of batches that failed as a whole, to find the operations at fault (`bisect`). */
  readonly parts: number;
  /** The most operations a batch may hold now: of the group for which it is largest. No counter: it goes up and down. */
  readonly maxSize: number;
}

/** What a {@link Batcher} counts itself. */
export type BatcherCounts = {
  -readonly [
    Name in 'added' | 'shared' | 'merged' | 'refused' | 'succeeded' | 'failed' | 'withdrawn' | 'expired' | 'retried'
  ]: BatcherStats[Name];
};

export function noCounts(): BatcherCounts {
  return {
    added: 0,
    shared: 0,
    merged: 0,
    refused: 0,
    succeeded: 0,
    failed: 0,
    withdrawn: 0,
    expired: 0,
    retried: 0,
  };
}
