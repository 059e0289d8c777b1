import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient } from './redis-client.ts';

/** A Lua script over one key. */
export interface RedisScript {
  readonly source: string;
  readonly sha: string;
}

/** A command, or a script with its key and arguments. */
export interface RedisCommand {
  /** The command's name, or the script. A Cluster takes scripts, `set` and `hsetnx`. */
  readonly run: 'time' | 'mget' | 'hmget' | 'set' | 'hsetnx' | RedisScript;
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
  const send = redis.isCluster === true ? sendEach : sendTogether;
  const outcomes = await send(redis, commands, false);
  const unknown = outcomes.findIndex(isUnknownScript);
  if (unknown !== -1) outcomes.splice(unknown, commands.length, ...(await send(redis, commands.slice(unknown), true)));
  for (const outcome of outcomes) if (outcome instanceof Failure) throw outcome.reason;
  return outcomes;
}

/** Set apart from every reply. */
class Failure {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

/** One reply or {@link Failure} for each. A pipeline even for one: `enableAutoPipelining` of ioredis cannot carry commands by name. */
async function sendTogether(
  redis: RedisClient,
  commands: readonly RedisCommand[],
  withSource: boolean,
): Promise<unknown[]> {
  const pipeline = redis.pipeline();
  const sent = new Set<RedisScript>();
  for (const { run, args } of commands) {
    if (typeof run === 'string') pipeline.callBuffer(run, args as RedisArgument[]);
    // Once is enough for the server to know it.
    else if (withSource && !sent.has(run)) pipeline.callBuffer('eval', [run.source, 1, ...args]);
    else pipeline.callBuffer('evalsha', [run.sha, 1, ...args]);
    if (typeof run !== 'string') sent.add(run);
  }
  const replies = (await pipeline.exec()) ?? [];
  return commands.map((_, index) => {
    const [error, reply] = replies[index] ?? [new Error('Redis gave no reply'), undefined];
    return error === null ? reply : new Failure(error);
  });
}

/** As {@link sendTogether}, to whichever nodes of a Cluster. */
function sendEach(redis: RedisClient, commands: readonly RedisCommand[], withSource: boolean): Promise<unknown[]> {
  const send = async ({ run, args }: RedisCommand): Promise<unknown> => {
    if (run === 'set') return redis.set(...(args as Parameters<RedisClient['set']>));
    if (run === 'hsetnx') return redis.hsetnx(...(args as Parameters<RedisClient['hsetnx']>));
    if (typeof run === 'string') throw new TypeError(`${run} would not go to a master`);
    if (withSource)
      return redis.evalBuffer?.(run.source, 1, ...args) ?? redis.callBuffer('eval', [run.source, 1, ...args]);
    return redis.evalshaBuffer?.(run.sha, 1, ...args) ?? redis.callBuffer('evalsha', [run.sha, 1, ...args]);
  };
  return Promise.all(commands.map((command) => send(command).catch((error: unknown) => new Failure(error))));
}

function isUnknownScript(outcome: unknown): boolean {
  return outcome instanceof Failure && outcome.reason instanceof Error && outcome.reason.message.startsWith('NOSCRIPT');
}
