import { createHash } from 'node:crypto';
import type { RedisArgument, RedisClient, RedisPipeline } from './redis-client.ts';
import { scratchName } from './redis-keys.ts';

/** A Lua script over one key. */
export interface RedisScript {
  readonly source: string;
  readonly sha: string;
  /** Whether it changes the entry it is given: then it may be given a second key, to leave the changed entry at. */
  readonly changesEntry: boolean;
}

/** A command, or a script with its key and arguments. */
export interface RedisCommand {
  /** The command's name, or the script. A Cluster takes scripts, `set` and `hsetnx`. */
  readonly run: 'time' | 'mget' | 'hmget' | 'set' | 'hsetnx' | RedisScript;
  readonly args: readonly RedisArgument[];
}

export function redisScript(
  source: string,
  { changesEntry = false }: { readonly changesEntry?: boolean } = {},
): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex'), changesEntry };
}

/** Clients whose own changes the server is not to tell them of. */
export const tracked: WeakSet<object> = /*@__PURE__*/ new WeakSet();

/**
 * Runs commands in one round trip: on one Redis in their order, in a Cluster side by side. When a server does not know a script, the first command
 * that needed it and all after it run again: commands must stand being repeated.
 *
 * @throws the first error any of them answers with
 */
export async function runAll(redis: RedisClient, commands: readonly RedisCommand[]): Promise<unknown[]> {
  const send = redis.isCluster === true ? sendEach : sendTogether;
  const first = await send(redis, commands, false);
  const unknown = first.findIndex(isUnknownScript);
  const outcomes =
    unknown === -1 ? first : [...first.slice(0, unknown), ...(await send(redis, commands.slice(unknown), true))];
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
  const isTracked = tracked.has(redis);
  const positions: number[] = [];
  let length = 0;
  for (const { run, args } of commands) {
    if (typeof run === 'string') {
      pipeline.callBuffer(run, args as RedisArgument[]);
    } else {
      // Once is enough for the server to know it.
      const named: [string, string] = withSource && !sent.has(run) ? ['eval', run.source] : ['evalsha', run.sha];
      sent.add(run);
      if (isTracked && run.changesEntry) length += sendAsOwn(pipeline, named, args);
      else pipeline.callBuffer(named[0], [named[1], 1, ...args]);
    }
    positions.push(length++);
  }
  const replies = (await pipeline.exec()) ?? [];
  return positions.map((position, index) => {
    const outcome = outcomeOf(replies[position]);
    const isTransaction = position > (positions[index - 1] ?? -1) + 1;
    if (!isTransaction || !Array.isArray(outcome)) return outcome;
    return outcome[0] instanceof Error ? new Failure(outcome[0]) : (outcome[0] as unknown);
  });
}

/**
 * Redis takes what a script changes for somebody else's change, and tells the very client that ran it. So the script leaves the changed entry at another name, if it does change it, and a
 * command of the client's own moves it: all in one transaction. Without an entry there, that command fails and changes nothing.
 *
 * @returns how many replies come before the one that counts
 */
function sendAsOwn(pipeline: RedisPipeline, named: [string, string], args: readonly RedisArgument[]): number {
  const [name, ...rest] = args as [string | Buffer, ...RedisArgument[]];
  const scratch = scratchName(name);
  pipeline.callBuffer('multi', []);
  pipeline.callBuffer(named[0], [named[1], 2, name, scratch, ...rest]);
  pipeline.callBuffer('rename', [scratch, name]);
  pipeline.callBuffer('exec', []);
  return 3;
}

function outcomeOf(outcome: [error: Error | null, reply: unknown] | undefined): unknown {
  const [error, reply] = outcome ?? [new Error('Redis gave no reply'), undefined];
  return error === null ? reply : new Failure(error);
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
