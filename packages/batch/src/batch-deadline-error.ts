import { TimeoutError } from '@perf/core';

/** An operation did not settle within the `timeout` it was added with. */
export class BatchDeadlineError extends TimeoutError {
  /** Whether the operation had been sent, or was merged into one that others wait for, and may take effect nevertheless. `false`: it was not sent for this caller. */
  readonly outcomeUnknown: boolean;

  constructor(timeout: number, outcomeUnknown: boolean) {
    const how = outcomeUnknown ? 'its outcome is unknown' : 'it was not sent';
    super(`the operation did not settle within ${timeout} ms: ${how}`, { code: 'PERF_BATCH_DEADLINE', timeout });
    this.outcomeUnknown = outcomeUnknown;
  }

  override get name(): string {
    return 'BatchDeadlineError';
  }
}
