import type { Link } from './linked-queue.ts';
import type { Operation } from './operation.ts';

/** When and why a caller may stop waiting. */
export interface Patience {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds; `Infinity` for never. */
  readonly timeout: number;
  /** The moment its time is up. */
  readonly deadline: number;
}

/** One caller that waits for an operation and may leave before it has settled. */
export class Caller<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  operation: Operation<Op, R>;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
  readonly deadline: number;
  /** Its place among the deadlines; -1 while it is not there. */
  place = -1;
  readonly promise: Promise<R>;
  resolve!: (value: R) => void;
  reject!: (error: unknown) => void;

  constructor(operation: Operation<Op, R>, { signal, timeout, deadline }: Patience) {
    this.operation = operation;
    this.signal = signal;
    this.timeout = timeout;
    this.deadline = deadline;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
