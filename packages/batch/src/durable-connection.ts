import { checkName } from '@perf/core';
import { Redis, type RedisOptions } from 'ioredis';
import { DurableConnectionError } from './durable-errors.ts';

/**
 * The Redis to use: the options of ioredis, a `redis://` URL, or a client of ioredis 5 or 6, whose options are used. Connections are always made anew, to wait for a Redis that is
 * away (`maxRetriesPerRequest: null`, no `commandTimeout`, a `retryStrategy` that does not give up); a client that was given is left alone.
 */
export type DurableConnection = Redis | RedisOptions | string;

/** Nothing gives up, or gets lost, while Redis is away: whoever does not want to wait has a signal. */
const PATIENT = {
  maxRetriesPerRequest: null,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: true,
  autoResubscribe: true,
  lazyConnect: false,
  disconnectTimeout: 500,
  // Scripts answer with numbers.
  stringNumbers: false,
} as const satisfies RedisOptions;

/** The connections of one participant. All are its own. */
export class DurableLink {
  readonly redis: Redis;
  readonly #all: Redis[] = [];
  readonly #onError: (error: unknown) => void;

  /** Throws a `DurableConnectionError` for a connection that BullMQ cannot use. */
  constructor(connection: DurableConnection, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.redis = this.#keep(connect(connection));
    const duplicate = this.redis.duplicate.bind(this.redis);
    // BullMQ makes some of its own, and closes them when Redis answers: a Redis that hangs must not keep the process.
    this.redis.duplicate = (options) => this.#keep(duplicate(options));
  }

  /** Has `work` done whenever the connection comes back. */
  whenBack(work: () => void): void {
    this.redis.on('ready', work);
  }

  /** One more connection to the same Redis, closed with this link. */
  duplicate(): Redis {
    return this.redis.duplicate();
  }

  /** Closes the connections; what still waits for a reply on one is rejected. Never waits for a Redis that hangs. */
  close(): void {
    for (const redis of this.#all.splice(0)) {
      redis.removeAllListeners('ready');
      redis.removeListener('error', this.#onError);
      // One that was still being tried tells of its end as an error.
      redis.on('error', () => {});
      // BullMQ, which waits for a Redis that hangs, would connect once more.
      redis.connect = () => Promise.reject(new Error('Connection is closed.'));
      // A second time would leave a timer behind.
      if (redis.status !== 'end') redis.disconnect();
    }
  }

  #keep(redis: Redis): Redis {
    redis.on('error', this.#onError);
    this.#all.push(redis);
    return redis;
  }
}

function connect(connection: DurableConnection): Redis {
  if (typeof connection === 'string') {
    // Options in the URL would go before those given beside it. An empty one would be taken for the Redis of this machine.
    return connect(new Redis(checkName('connection', connection), { lazyConnect: true }));
  }
  if (typeof connection !== 'object' || connection === null || Array.isArray(connection)) {
    throw new TypeError('`connection` must be an ioredis client, its options or a URL');
  }
  const isClient = 'defineCommand' in connection;
  if (isClient && connection.isCluster) {
    throw new DurableConnectionError('a Cluster cannot be used: the keys of a queue belong together');
  }
  const { commandTimeout: _, keyPrefix, retryStrategy, ...options } = isClient ? connection.options : connection;
  if (keyPrefix !== undefined && keyPrefix !== '') {
    throw new DurableConnectionError(
      'BullMQ cannot use a connection with `keyPrefix`: use the option `prefix` instead',
    );
  }
  return new Redis({
    ...(options as Omit<RedisOptions, 'replyMapping'>),
    retryStrategy: (times) => retryStrategy?.(times) ?? Math.min(times * 50, 2000),
    ...PATIENT,
  });
}
