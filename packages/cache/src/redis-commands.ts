import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis-client.ts';

/** A Lua script over one key. */
export interface RedisScript {
  readonly source: string;
  readonly sha: string;
}

/** A command, or a script with its key and arguments. */
export interface RedisCommand {
  /** The command's name, or the script. */
  readonly run: string | RedisScript;
  readonly args: readonly RedisArgument[];
}

export function redisScript(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/**
 * Runs commands in one round trip: on one Redis in their order, in a Cluster side by side. When a server does not know a script, the first command
 * that needed it and all after it run again: commands must stand being repeated.
 *
 * @throws the first error any of them answers with
 */
export async function runAll(redis: RedisClient, commands: readonly RedisCommand[]): Promise<unknown[]> {
  const known = new Set<RedisScript>();
  const outcomes = await sendAll(
    redis,
    commands.map(({ run, args }) => (typeof run === 'string' ? [run, [...args]] : ['evalsha', [run.sha, 1, ...args]])),
  );
  const unknown = outcomes.findIndex(isUnknownScript);
  if (unknown !== -1) {
    const again = commands.slice(unknown).map(({ run, args }): Wire => {
      if (typeof run === 'string') return [run, [...args]];
      // On one Redis, the first run teaches it the script.
      if (redis.isCluster !== true && known.has(run)) return ['evalsha', [run.sha, 1, ...args]];
      known.add(run);
      return ['eval', [run.source, 1, ...args]];
    });
    outcomes.splice(unknown, commands.length, ...(await sendAll(redis, again)));
  }
  for (const outcome of outcomes) if (outcome instanceof Failure) throw outcome.reason;
  return outcomes;
}

type Wire = [name: string, args: RedisArgument[]];

/** Set apart from every reply. */
class Failure {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

/** One reply or {@link Failure} for each. */
async function sendAll(redis: RedisClient, commands: readonly Wire[]): Promise<unknown[]> {
  if (redis.isCluster === true || commands.length === 1) {
    const send = ([name, args]: Wire): Promise<unknown> => redis.callBuffer(name, args);
    return Promise.all(commands.map((command) => send(command).catch((error: unknown) => new Failure(error))));
  }
  const pipeline = redis.pipeline();
  for (const [name, args] of commands) pipeline.callBuffer(name, args);
  const replies = (await pipeline.exec()) ?? [];
  return commands.map((_, index) => {
    const [error, reply] = replies[index] ?? [new Error('Redis gave no reply'), undefined];
    return error === null ? reply : new Failure(error);
  });
}

function isUnknownScript(outcome: unknown): boolean {
  return (
    outcome instanceof Failure && outcome.reason instanceof Error && outcome.reason.message.startsWith('NOSCRIPT')
  );
}
