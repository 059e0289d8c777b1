import type { Redis } from 'ioredis';
import type { DurableKeys } from './durable-keys.ts';
import { type DurableScript, durableScript, runScript } from './durable-script.ts';

/** What is in one partition. */
export interface DurablePartitionStats {
  /** Operations that wait for a worker. */
  readonly waiting: number;
  /** Operations a worker has taken up. */
  readonly active: number;
  /** Jobs that wait: what producers sent together. */
  readonly waitingJobs: number;
}

/** What is in a durable queue, over all producers and workers. */
export interface DurableStats {
  /** Operations that wait for a worker; one that was added twice counts twice. */
  readonly waiting: number;
  /** Operations a worker has taken up. */
  readonly active: number;
  /** Operations executed, ever. */
  readonly succeeded: number;
  /** Operations that became dead letters, ever; again when they fail again. */
  readonly failed: number;
  /** Dead letters there are now. */
  readonly deadLetters: number;
  readonly partitions: readonly DurablePartitionStats[];
}

/** KEYS: a list of jobs waiting, one of jobs worked on. The ids tell how many operations each has. */
const COUNT: DurableScript = durableScript(`
local function operations(list)
  local sum = 0
  local ids = redis.call('LRANGE', list, 0, -1)
  for i = 1, #ids do sum = sum + (tonumber(string.match(ids[i], '%.(%d+)$')) or 0) end
  return sum, #ids
end
local waiting, jobs = operations(KEYS[1])
local active = operations(KEYS[2])
return {waiting, active, jobs}`);

/** Counts what is in a queue. Costs Redis time for each job that waits. */
export async function durableStats(redis: Redis, keys: DurableKeys, partitions: number): Promise<DurableStats> {
  const all = Array.from({ length: partitions }, async (_, partition) => {
    const input = { keys: [keys.waiting(partition), keys.active(partition)], args: [] };
    const [waiting, active, waitingJobs] = (await runScript(redis, COUNT, input)) as [number, number, number];
    return { waiting, active, waitingJobs };
  });
  const [counts, deadLetters, each] = await Promise.all([
    redis.hmget(keys.counts, 'succeeded', 'failed'),
    redis.zcard(keys.deadIndex),
    Promise.all(all),
  ]);
  return {
    waiting: each.reduce((sum, { waiting }) => sum + waiting, 0),
    active: each.reduce((sum, { active }) => sum + active, 0),
    succeeded: Number(counts[0] ?? 0),
    failed: Number(counts[1] ?? 0),
    deadLetters,
    partitions: each,
  };
}
