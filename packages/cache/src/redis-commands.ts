import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis-client.ts';

/** A Lua script over one key. */
export interface RedisScript {
  readonly source: string;
  readonly sha: string;
}

/** One command, or a script with its key and arguments. */
export type RedisCommand = readonly [name: string, ...args: RedisArgument[]];

export function redisScript(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Runs commands in one round trip (in a cluster: side by side). @throws the first error any of them answers with */
export async function runAll(redis: RedisClient, commands: readonly RedisCommand[]): Promise<unknown[]> {
  const outcomes = await sendAll(redis, commands);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

/**
 * Runs a script for each list of a key and arguments, in one round trip once the server knows it; the other commands go along, after the scripts.
 *
 * @throws the first error any of them answers with
 */
export async function runScripts(
  redis: RedisClient,
  script: RedisScript,
  work: { readonly calls: readonly (readonly RedisArgument[])[]; readonly then: readonly RedisCommand[] },
): Promise<{ readonly results: unknown[]; readonly then: unknown[] }> {
  const short = work.calls.map((args): RedisCommand => ['EVALSHA', script.sha, 1, ...args]);
  const outcomes = await sendAll(redis, [...short, ...work.then]);
  if (outcomes.some((outcome) => outcome.status === 'rejected' && isUnknownScript(outcome.reason))) {
    const long = work.calls.map((args): RedisCommand => ['EVAL', script.source, 1, ...args]);
    return split(await runAll(redis, [...long, ...work.then]), work.calls.length);
  }
  const results = outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  return split(results, work.calls.length);
}

async function sendAll(
  redis: RedisClient,
  commands: readonly RedisCommand[],
): Promise<PromiseSettledResult<unknown>[]> {
  if (redis.isCluster === true || commands.length === 1) {
    return Promise.allSettled(commands.map(([name, ...args]) => redis.callBuffer(name, args)));
  }
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.callBuffer(name, args);
  const replies = (await pipeline.exec()) ?? [];
  return commands.map((_, index) => {
    const [reason, value] = replies[index] ?? [new Error('Redis gave no reply'), undefined];
    return reason === null ? { status: 'fulfilled', value } : { status: 'rejected', reason };
  });
}

function split(results: unknown[], count: number): { readonly results: unknown[]; readonly then: unknown[] } {
  return { results: results.slice(0, count), then: results.slice(count) };
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
