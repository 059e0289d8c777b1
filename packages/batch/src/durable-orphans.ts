import { delay } from '@perf/core';
import type { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { DurableKeys } from './durable-keys.ts';

/** A worker of one partition, and what it is doing. */
export interface OrphanSearch {
  readonly redis: Redis;
  readonly keys: DurableKeys;
  readonly partition: number;
  readonly queue: Queue;
  readonly worker: Worker;
  /** Whether the worker has a turn for the job. */
  readonly isUnderWay: (job: string) => boolean;
  readonly signal: AbortSignal;
}

/** When to look, in milliseconds after the connection has come back: what was on its way is sent again at once, and answered soon. */
const LOOKS = [500, 3000] as const;

/** How long, in milliseconds, a job has to be nobody's: it may just be about to begin, or to end. */
const CERTAIN = 250;

/**
 * Gives back jobs that Redis takes for this worker's, and this worker does not: the connection broke while it took them, and the answer was lost. Nobody else could have them until
 * their lock expires, and the partition would stand still. One that is given back by mistake is taken again, as a lost turn is.
 */
export async function returnOrphans(search: OrphanSearch): Promise<void> {
  for (const wait of LOOKS) {
    await delay(wait, { signal: search.signal, unref: true });
    const suspects = await findOrphans(search);
    if (suspects.size === 0) continue;
    await delay(CERTAIN, { signal: search.signal, unref: true });
    for (const [id, token] of await findOrphans(search)) {
      if (suspects.get(id) !== token) continue;
      const job = await search.queue.getJob(id);
      await job?.moveToWait(token);
    }
  }
}

/** Jobs and the tokens of their locks. */
async function findOrphans(search: OrphanSearch): Promise<Map<string, string>> {
  const { redis, keys, partition, worker, isUnderWay } = search;
  const orphans = new Map<string, string>();
  for (const id of await redis.lrange(keys.active(partition), 0, -1)) {
    const token = await redis.get(keys.lock(partition, id));
    if (token !== null && token.startsWith(`${worker.id}:`) && !isUnderWay(id)) orphans.set(id, token);
  }
  return orphans;
}
