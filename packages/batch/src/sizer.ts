/** How a batch went that was sent while the limit was `limit`. */
export interface SizedBatch {
  /** The most operations it could have held when it was sent. */
  readonly limit: number;
  /** How many it held. */
  readonly size: number;
  /** How long it took, in milliseconds. */
  readonly latency: number;
  /**
   * - `answered`: `execute` answered;
   * - `tooLarge`: it failed in a way that says so;
   * - `overloaded`: it, or some of its operations, failed because the store has too much to do;
   * - `failed`: it failed in another way, which says nothing about its size.
   */
  readonly outcome: 'answered' | 'tooLarge' | 'overloaded' | 'failed';
}

/** Finds out how large batches should be. */
export interface Sizer {
  /** The most operations a batch may hold now. */
  readonly size: number;
  /** The limit of the next batch, of which `waiting` operations could be part: {@link size}, or smaller to try that out. */
  limitFor(waiting: number): number;
  record(batch: SizedBatch): void;
}
