/**
 * One timed stretch of code; `using` ends it at the end of the block.
 *
 * A span is part of the call it was begun in, whose self time it leaves out. It does not know what is called between its begin and its
 * end (a block has no asynchronous context of its own), so its own `self` is all of its time: use {@link Profiler.measure} where that matters.
 */
export interface Span extends Disposable {
  /** Ends the span. Only the first call counts. @param failed counts it as an error. @default false */
  end(failed?: boolean): void;
}
