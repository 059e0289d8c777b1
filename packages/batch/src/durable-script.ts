import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script. */
export interface DurableScript {
  readonly source: string;
  readonly sha: string;
}

/** What a script is given. */
export interface ScriptInput {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

export function durableScript(source: string): DurableScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/**
 * Runs a script by its digest, and with its source where the server does not know it. A connection that breaks meanwhile may run it twice (ioredis sends
 * again what has no answer): scripts must stand that.
 */
export async function runScript(redis: Redis, script: DurableScript, { keys, args }: ScriptInput): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return redis.eval(script.source, keys.length, ...keys, ...args);
  }
}
