import { Queue } from 'bullmq';
import type { DurableLink } from './durable-connection.ts';
import { DurablePartitionsError } from './durable-errors.ts';
import type { DurableKeys } from './durable-keys.ts';
import { keepTrying } from './durable-keep-trying.ts';
import type { QueueSettings } from './durable-options.ts';

/** Where a participant belongs. */
export interface Participant {
  readonly settings: QueueSettings;
  readonly link: DurableLink;
  readonly keys: DurableKeys;
  /** Aborts when the participant closes. */
  readonly signal: AbortSignal;
}

/** How many events BullMQ keeps of a partition: nothing here reads them. */
const EVENTS = 100;

/**
 * The BullMQ queues of all partitions, each limited to one job at a time on all machines together: that is what keeps order. Waits until Redis is there.
 *
 * Rejects with a `DurablePartitionsError` when the queue exists with another number of partitions.
 */
export async function openQueues({ settings, link, keys, signal }: Participant): Promise<Queue[]> {
  const { name, prefix, partitions, onError } = settings;
  const retry = { signal, onError };
  const kept = await keepTrying(async () => {
    await link.redis.set(keys.partitions, partitions, 'NX');
    return Number(await link.redis.get(keys.partitions));
  }, retry);
  if (kept !== partitions) throw new DurablePartitionsError(name, kept, partitions);
  const queues = Array.from({ length: partitions }, (_, partition) => {
    const queue = new Queue(keys.queue(partition), {
      connection: link.redis,
      prefix,
      streams: { events: { maxLen: EVENTS } },
    });
    // The link tells of its connection's errors; BullMQ repeats them for each queue.
    return queue.on('error', () => {});
  });
  const claim = async (): Promise<unknown> => {
    await link.redis.set(keys.partitions, partitions, 'NX');
    return Promise.all(queues.map((queue) => queue.setGlobalConcurrency(1)));
  };
  await keepTrying(claim, retry);
  // A Redis that comes back empty has lost the operations, but need not lose the order of those to come.
  link.whenBack(() => {
    keepTrying(claim, retry).catch(() => {});
  });
  return queues;
}

/** Lets go of the queues; the connection stays open. */
export function closeQueues(queues: readonly Queue[]): void {
  for (const queue of queues) queue.close().catch(() => {});
}
