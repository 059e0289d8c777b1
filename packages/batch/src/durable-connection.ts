import { Redis, type RedisOptions } from 'ioredis';
import { DurableConnectionError } from './durable-errors.ts';

/**
 * A connection of ioredis, made with `maxRetriesPerRequest: null`, which stays open afterwards; or its options or a `redis://` URL, from which one is made and closed.
 */
export type DurableConnection = Redis | RedisOptions | string;

/** The connection of one participant, and those made from it. */
export class DurableLink {
  readonly redis: Redis;
  readonly #own: Redis[] = [];
  readonly #onError: (error: unknown) => void;
  readonly #given: boolean;
  #onReady: () => void = () => {};

  /** Throws a `DurableConnectionError` for one that would give up, or that BullMQ cannot use. */
  constructor(connection: DurableConnection, onError: (error: unknown) => void) {
    this.#onError = onError;
    this.#given = isClient(connection);
    this.redis = isClient(connection) ? checkClient(connection) : connect(connection);
    this.redis.on('error', this.#onError);
    this.redis.on('ready', this.#ready);
    if (!this.#given) this.#own.push(this.redis);
  }

  /** Has `work` done whenever the connection comes back. */
  whenBack(work: () => void): void {
    this.#onReady = work;
  }

  readonly #ready = (): void => this.#onReady();

  /** One more connection to the same Redis, closed with this link. */
  duplicate(): Redis {
    const redis = this.redis.duplicate();
    redis.on('error', this.#onError);
    this.#own.push(redis);
    return redis;
  }

  /** Closes what it made itself; what still waits for a reply on it is rejected. Never waits for a Redis that hangs. */
  close(): void {
    this.redis.off('error', this.#onError);
    this.redis.off('ready', this.#ready);
    for (const redis of this.#own.splice(0)) {
      // A connection that was still being tried tells of its end as an error.
      redis.removeListener('error', this.#onError);
      redis.on('error', () => {});
      redis.disconnect();
    }
  }
}

/** As the constructor wants them. */
type OwnOptions = Omit<RedisOptions, 'replyMapping'>;

function isClient(connection: DurableConnection): connection is Redis {
  return typeof connection === 'object' && connection !== null && 'defineCommand' in connection;
}

function connect(connection: RedisOptions | string): Redis {
  // A command waits until Redis is back: a caller who does not want to has a signal.
  const settings = { maxRetriesPerRequest: null, retryStrategy: (times: number): number => Math.min(times * 50, 1000) };
  if (typeof connection === 'string') return new Redis(connection, settings);
  if (typeof connection !== 'object' || connection === null) {
    throw new TypeError('`connection` must be an ioredis client, its options or a URL');
  }
  const { maxRetriesPerRequest = null } = connection;
  refuseUnfit({ ...connection, maxRetriesPerRequest });
  return new Redis({ ...settings, ...(connection as OwnOptions), maxRetriesPerRequest });
}

function checkClient(client: Redis): Redis {
  if (client.isCluster)
    throw new DurableConnectionError('a Cluster cannot be used: the keys of a queue belong together');
  refuseUnfit(client.options);
  return client;
}

function refuseUnfit({ maxRetriesPerRequest, keyPrefix }: RedisOptions): void {
  if (maxRetriesPerRequest !== null) {
    throw new DurableConnectionError(
      `the ioredis connection must be made with \`maxRetriesPerRequest: null\`, got ${maxRetriesPerRequest}: it must not give up while Redis is away`,
    );
  }
  if (keyPrefix !== undefined && keyPrefix !== '') {
    throw new DurableConnectionError(
      'BullMQ cannot use a connection with `keyPrefix`: use the option `prefix` instead',
    );
  }
}
