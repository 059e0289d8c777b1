import { TimeoutError } from '@perf/core';

/** An operation did not settle within the `timeout` it was added with. */
export class BatchDeadlineError extends TimeoutError {
  /** Whether the operation had been sent, and may take effect nevertheless. `false`: it was never sent, and never will be. */
  readonly outcomeUnknown: boolean;

  constructor(timeout: number, outcomeUnknown: boolean) {
    const how = outcomeUnknown ? 'it was sent, with an unknown outcome' : 'it was not sent';
    super(`the operation did not settle within ${timeout} ms: ${how}`, { code: 'PERF_BATCH_DEADLINE', timeout });
    this.outcomeUnknown = outcomeUnknown;
  }

  override get name(): string {
    return 'BatchDeadlineError';
  }
}
