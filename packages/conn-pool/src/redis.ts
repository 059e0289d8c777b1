import { checkFunction, checkOptions } from '@perf/core';
import { ConnectionPool } from './connection-pool.ts';
import { DuplicateConnectionError } from './errors.ts';
import { type ConnectionPoolOptions, OPTION_NAMES } from './options.ts';
import type { RedisPoolClient } from './redis-client.ts';
import { isRedisConnectionLost, isRedisFailover } from './redis-errors.ts';
import { RedisSession } from './redis-session.ts';

export type { RedisPoolClient } from './redis-client.ts';
export {
  RedisClientUnfitError,
  RedisTransactionConflictError,
  isRedisConnectionLost,
  isRedisFailover,
} from './redis-errors.ts';
export {
  type RedisChain,
  type RedisTransactionClient,
  type RedisTransactionOptions,
  type RedisTransactionWork,
  redisTransaction,
} from './redis-transaction.ts';

/** Options of {@link redisPool}: how to make a client, and those of {@link ConnectionPool} but for the callbacks that the adapter is. */
export interface RedisPoolOptions<C extends RedisPoolClient> extends Omit<
  ConnectionPoolOptions<C>,
  'create' | 'destroy' | 'validate' | 'reset' | 'maxLeasesPerConnection'
> {
  /** Makes a client of its own: `() => new Redis(url, { lazyConnect: true })`. The pool turns its reconnecting off: to replace connections is the pool's work. */
  readonly client: () => C;
}

/** The callbacks that the adapter is. */
const OWN: readonly string[] = ['create', 'destroy', 'validate', 'reset', 'maxLeasesPerConnection'];

/**
 * A pool of connections to one Redis over clients of ioredis 5 or 6: for what needs a connection of its own, as blocking commands,
 * WATCH, MULTI and EXEC, or SUBSCRIBE. All else is faster on one client that all share.
 *
 * A connection that is given back is cleared: unwatched, its MULTI discarded, unsubscribed, back in its database, the caller's listeners taken off; one on which a
 * command blocks, or a command ran that cannot be taken back, is replaced. One that closed, and one whose server is a replica now, is replaced.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function redisPool<C extends RedisPoolClient>(options: RedisPoolOptions<C>): ConnectionPool<C> {
  checkOptions('redisPool', options, ['client', ...OPTION_NAMES.filter((each) => !OWN.includes(each))]);
  const { client: make, name = 'redis', isFatal, isFailover = isRedisFailover, ...rest } = options;
  checkFunction('client', make);
  if (isFatal !== undefined) checkFunction('isFatal', isFatal);
  const sessions = new WeakMap<C, RedisSession>();
  const session = (client: C): RedisSession => sessions.get(client) as RedisSession;
  return new ConnectionPool<C>({
    ...rest,
    name,
    isFailover,
    isFatal: (error) => isRedisConnectionLost(error) || isFatal?.(error) === true,
    create: async (ctx) => {
      const client = make();
      // Before its commands are watched twice, and what its owner did is forgotten.
      if (sessions.has(client)) throw new DuplicateConnectionError();
      const made = new RedisSession(client);
      sessions.set(client, made);
      await made.open(ctx);
      return client;
    },
    destroy: (client) => session(client).end(),
    validate: (client) => session(client).ping(),
    reset: (client) => session(client).reset(),
  });
}
