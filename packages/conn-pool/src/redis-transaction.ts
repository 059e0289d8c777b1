import { checkFunction, checkOptions, checkPositiveInteger, checkSignal } from '@perf/core';
import type { ConnectionPool } from './connection-pool.ts';
import type { AcquireOptions } from './options.ts';
import type { RedisPoolClient } from './redis-client.ts';
import { RedisTransactionConflictError } from './redis-errors.ts';

/** Commands to be executed together: what `multi()` of ioredis begins. */
export interface RedisChain {
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** What {@link redisTransaction} uses of a client. */
export interface RedisTransactionClient extends RedisPoolClient {
  watch(...keys: string[]): Promise<unknown>;
}

/** Options of {@link redisTransaction}. */
export interface RedisTransactionOptions extends AcquireOptions {
  /** How often it is tried. @default 10 */
  readonly attempts?: number | undefined;
}

/** What is done in a transaction. */
export interface RedisTransactionWork<C> {
  /** The keys that nobody else may change meanwhile. */
  readonly watch: readonly string[];
  /** Reads what it needs and gives the commands to execute, as `client.multi().set(…)`; `undefined` to do nothing. Called for each attempt. */
  readonly prepare: (client: C) => RedisChain | undefined | PromiseLike<RedisChain | undefined>;
}

/**
 * An optimistic transaction on a connection of its own: watches the keys, asks `prepare` for the commands and executes them together,
 * unless somebody changed one of the keys since; then again, on what is there now. Resolves with what `exec()` gives: an error and a result for each
 * command; with `undefined` when `prepare` gave nothing.
 *
 * Rejects with a RedisTransactionConflictError after `attempts`, like `acquire()`, with what `prepare` threw, and with `signal.reason`
 * before the next attempt. A connection that is lost during `exec()` is not tried again: only the server knows whether it was done.
 */
export async function redisTransaction<C extends RedisTransactionClient>(
  pool: ConnectionPool<C>,
  work: RedisTransactionWork<C>,
  options: RedisTransactionOptions = {},
): Promise<[error: Error | null, result: unknown][] | undefined> {
  checkOptions('redisTransaction()', options, ['attempts', 'signal', 'timeout', 'priority']);
  checkOptions('redisTransaction()', work, ['watch', 'prepare']);
  checkFunction('prepare', work.prepare);
  // A string would be watched letter by letter.
  if (!Array.isArray(work.watch)) throw new TypeError('`watch` must be an array of keys');
  const { attempts = 10, ...acquire } = options;
  const { signal } = options;
  checkPositiveInteger('attempts', attempts);
  if (signal !== undefined) checkSignal('signal', signal);
  return pool.use(async (client) => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      signal?.throwIfAborted();
      if (work.watch.length > 0) await client.watch(...work.watch);
      const chain = await work.prepare(client);
      if (chain === undefined) return undefined;
      const answers = await chain.exec();
      if (answers !== null) return answers;
    }
    throw new RedisTransactionConflictError(attempts);
  }, acquire);
}
