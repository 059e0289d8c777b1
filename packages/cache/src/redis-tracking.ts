import { type Closeable, checkDuration, checkOptions } from '@perf/core';
import { checkNamePart } from './check-store-options.ts';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import { type RedisSubscriber, type RedisTrackingClient, checkRedis } from './redis-client.ts';
import { tracked } from './redis-commands.ts';
import { parseName } from './redis-keys.ts';
import { RedisListeners } from './redis-listeners.ts';
import { RedisSubscription, SUBSCRIBER_OPTIONS } from './redis-subscription.ts';

/** Options of {@link redisTracking}. */
export interface RedisTrackingOptions {
  /** The `prefix` of the {@link redisStore} on the same client. @default 'perf' */
  readonly prefix?: string;
  /** As for {@link redisBus}; both connections are asked. @default 5_000 */
  readonly heartbeat?: number;
}

/** A bus on which the server itself tells of changes. */
export interface RedisTracking extends Bus, Closeable {}

/** Where Redis sends what it tracks, in its old protocol. ioredis drops it in the new one. */
const CHANNEL = '__redis__:invalidate';

const SOURCE = 'redis';

/**
 * Server-assisted invalidation (`CLIENT TRACKING`): Redis tells of every change of a key under the prefix, whoever made it and how (a cache, `redis-cli`, expiry, eviction, `FLUSHALL`), but those made through this
 * very client. Nothing needs to be published, and Redis keeps no list of keys. Use the client of the {@link redisStore}. It stays yours to close; a second connection, made with `duplicate()`, is told.
 *
 * @throws TypeError for a Cluster, where {@link redisBus} is for, and for a client that is tracked already
 * @throws RangeError or TypeError naming the option that is wrong
 */
export function redisTracking(redis: RedisTrackingClient, options: RedisTrackingOptions = {}): RedisTracking {
  checkOptions('redisTracking', options, ['prefix', 'heartbeat']);
  const { prefix = 'perf', heartbeat = 5_000 } = options;
  checkNamePart('prefix', prefix);
  checkDuration('heartbeat', heartbeat);
  if (redis?.isCluster === true)
    throw new TypeError('redisTracking takes a client of one Redis: use redisBus for a Cluster');
  checkRedis(redis, ['callBuffer', 'duplicate']);
  if (tracked.has(redis)) throw new TypeError('redisTracking: the client is tracked already');
  return new ServerTracking(redis, { prefix, heartbeat });
}

class ServerTracking implements RedisTracking {
  readonly #redis: RedisTrackingClient;
  readonly #start: string;
  readonly #heartbeat: number;
  readonly #listeners = new RedisListeners('redisTracking');
  #subscription: RedisSubscription | undefined;
  /** The id of the connection that is told, which may be gone. */
  #redirect = 0;
  #isListening = false;
  /** Counts what makes an answer about tracking outdated. */
  #epoch = 0;
  #isChecking = false;

  constructor(redis: RedisTrackingClient, { prefix, heartbeat }: Required<RedisTrackingOptions>) {
    this.#redis = redis;
    this.#start = `${redis.options?.keyPrefix ?? ''}${prefix}:`;
    this.#heartbeat = heartbeat;
    tracked.add(redis);
  }

  get closed(): boolean {
    return this.#listeners.closed;
  }

  /** The server tells others; not those who share the client. */
  async publish(message: BusMessage): Promise<void> {
    this.#listeners.checkOpen();
    this.#listeners.hear(message);
  }

  subscribe(listener: BusListener): () => void {
    const end = this.#listeners.add(listener);
    this.#subscription ??= this.#track();
    return end;
  }

  /** Ends the tracking, and the connection that was told; idempotent. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.#listeners.close();
    this.#redis.off('ready', this.#ready);
    this.#redis.off('close', this.#lose);
    tracked.delete(this.#redis);
    if (this.#subscription === undefined) return;
    this.#subscription.close();
    // A connection that is not there tracks nothing.
    if (this.#redis.status === 'ready') await this.#redis.callBuffer('client', ['TRACKING', 'OFF']).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #track(): RedisSubscription {
    this.#redis.on('ready', this.#ready);
    this.#redis.on('close', this.#lose);
    return new RedisSubscription({
      connect: () => this.#redis.duplicate({ ...SUBSCRIBER_OPTIONS, protocol: 2 }),
      start: (subscriber) => this.#listen(subscriber),
      beat: (subscriber) => this.#beat(subscriber),
      heartbeat: this.#heartbeat,
      onMessage: (channel, payload) => {
        if (channel.toString() === CHANNEL) this.#hear(payload);
      },
      onConnected: (connected) => {
        this.#isListening = connected;
        if (connected) void this.#arm();
        else this.#lose();
      },
    });
  }

  async #listen(subscriber: RedisSubscriber): Promise<void> {
    const id = Number(await subscriber.callBuffer('client', ['ID']));
    await subscriber.subscribe(CHANNEL);
    this.#redirect = id;
  }

  readonly #lose = (): void => {
    this.#epoch++;
    this.#listeners.setConnected(false);
  };

  readonly #ready = (): void => void this.#arm();

  /** Whenever either connection is new, tracking is switched on with the id of the one that is told. */
  async #arm(): Promise<void> {
    const { status } = this.#redis;
    const redirect = this.#redirect;
    this.#lose();
    // A client that waits for its first command connects, and is then ready.
    if (!this.#isListening || (status !== 'ready' && status !== 'wait') || this.closed) return;
    const epoch = this.#epoch;
    try {
      await Promise.all([
        // A prefix cannot be given twice, so what was on must be off first.
        this.#redis.callBuffer('client', ['TRACKING', 'OFF']),
        this.#redis.callBuffer('client', this.#tracking(redirect)),
      ]);
      if (epoch === this.#epoch && !this.closed) this.#listeners.setConnected(true);
    } catch {
      // The next beat, or the next connection, tries again.
    }
  }

  #tracking(redirect: number): string[] {
    return ['TRACKING', 'ON', 'REDIRECT', String(redirect), 'BCAST', 'PREFIX', this.#start, 'NOLOOP'];
  }

  async #beat(subscriber: RedisSubscriber): Promise<void> {
    void this.#check();
    await subscriber.ping();
  }

  /** Whether the other connection still tracks: it may be dead without a word as well, or have been reset. */
  async #check(): Promise<void> {
    // Not answered since the last beat.
    if (this.#isChecking) return this.#lose();
    this.#isChecking = true;
    const redirect = this.#redirect;
    const epoch = this.#epoch;
    try {
      const answer = Number(await this.#redis.callBuffer('client', ['GETREDIR']));
      if (answer !== redirect || epoch !== this.#epoch || !this.#listeners.connected) await this.#arm();
    } catch {
      this.#lose();
    } finally {
      this.#isChecking = false;
    }
  }

  #hear(payload: unknown): void {
    if (!Array.isArray(payload)) return this.#hearAll();
    const changed = new Map<string, string[] | undefined>();
    for (const name of payload) {
      const parsed = Buffer.isBuffer(name) ? parseName(name, this.#start) : undefined;
      if (parsed === undefined) continue;
      const { namespace, key } = parsed;
      if (key === undefined) changed.set(namespace, undefined);
      else if (!changed.has(namespace)) changed.set(namespace, [key]);
      else changed.get(namespace)?.push(key);
    }
    for (const [namespace, keys] of changed) this.#listeners.hear({ source: SOURCE, namespace, ...(keys && { keys }) });
  }

  /** Everything is gone (`FLUSHALL`): to a cache that is like a gap, after which it believes nothing it has. */
  #hearAll(): void {
    if (!this.#listeners.connected) return;
    this.#listeners.setConnected(false);
    this.#listeners.setConnected(true);
  }
}
