import { delay } from '@perf/core';
import { type Job, Worker, type WorkerOptions } from 'bullmq';

/** How long, in milliseconds, a Redis that refuses (out of memory, a replica) is left alone: BullMQ would ask again at once, and for ever. */
const PAUSE = 1000;

/** The worker BullMQ has for a partition. */
export class DurablePartitionWorker extends Worker {
  readonly #signal: AbortSignal;

  constructor(
    queue: string,
    process: (job: Job, token: string | undefined) => Promise<void>,
    { signal, ...options }: WorkerOptions & { readonly signal: AbortSignal },
  ) {
    super(queue, process, options);
    this.#signal = signal;
  }

  /** BullMQ 5 gives a client first: whatever is given is handed on. */
  protected override async moveToActive(...given: [token: string, name?: string]): ReturnType<Worker['getNextJob']> {
    try {
      return await super.moveToActive(...given);
    } catch (error) {
      await delay(PAUSE, { signal: this.#signal, unref: true }).catch(() => {});
      throw error;
    }
  }
}
