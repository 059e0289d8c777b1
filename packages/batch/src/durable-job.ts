/** An operation as it travels in a job. */
export interface JobOperation {
  /** Idempotency key. */
  readonly i: string;
  /** Ordering key. */
  readonly k?: string;
  /** The operation itself. */
  readonly v: unknown;
  /** The `traceparent` of the span it was added in. */
  readonly t?: string;
}

/** The data of a job: operations of one partition, in the order they were added. */
export interface JobData {
  /** The producer to tell of the results. */
  readonly from: string;
  readonly ops: readonly JobOperation[];
}

/** The name of every job. */
export const JOB_NAME = 'batch';

/** Whether a job is one of a durable batcher: anybody may add to a queue of BullMQ. */
export function isJobData(name: string, data: unknown): data is JobData {
  if (name !== JOB_NAME || typeof data !== 'object' || data === null) return false;
  const { from, ops } = data as Partial<JobData>;
  return typeof from === 'string' && Array.isArray(ops) && ops.length > 0 && ops.every(isJobOperation);
}

function isJobOperation(op: Partial<JobOperation> | null): boolean {
  return typeof op === 'object' && op !== null && typeof op.i === 'string' && op.i !== '';
}

/**
 * What every job is added with. Results are kept elsewhere, so a finished job goes. It is never given up, as it may hold operations that have nothing to do with
 * the trouble; what fails for good is an operation. Of all its tries only the last is told.
 */
export const JOB_OPTIONS = {
  removeOnComplete: true,
  removeOnFail: false,
  attempts: 1_000_000_000,
  stackTraceLimit: 1,
} as const;

/** The number of operations is part of the id: counting those that wait then needs no look into jobs. */
export function jobId(unique: string, size: number): string {
  return `${unique}.${size}`;
}
