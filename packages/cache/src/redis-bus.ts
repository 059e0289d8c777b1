import { type Closeable, ClosedError, checkName, checkOptions } from '@perf/core';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import type { RedisBusClient, RedisSubscriber } from './redis-client.ts';

/** Options of {@link redisBus}. */
export interface RedisBusOptions {
  /** The Redis channel; caches hear each other on the same one. @default 'perf:invalidate' */
  readonly channel?: string;
}

/** A bus with a connection of its own. */
export interface RedisBus extends Bus, Closeable {}

/**
 * Carries invalidations over Redis publish/subscribe. It publishes on your client, which stays yours to close, and listens on a connection of its own, made of it with `duplicate()` when the first
 * cache subscribes. Whenever that connection is lost the caches are told, and again when it listens once more: what was published in between is gone.
 *
 * @throws TypeError for a Cluster client, whose subscriptions move to another node without a word
 */
export function redisBus(redis: RedisBusClient, options: RedisBusOptions = {}): RedisBus {
  checkOptions('redisBus', options, ['channel']);
  const { channel = 'perf:invalidate' } = options;
  if (redis.isCluster === true) throw new TypeError('redisBus takes a client of one Redis, not of a Cluster');
  return new RedisPubSub(redis, checkName('channel', channel));
}

class RedisPubSub implements RedisBus {
  readonly #redis: RedisBusClient;
  readonly #channel: string;
  readonly #listeners = new Set<BusListener>();
  #subscriber: RedisSubscriber | undefined;
  #connected = false;
  #closed = false;

  constructor(redis: RedisBusClient, channel: string) {
    this.#redis = redis;
    this.#channel = channel;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async publish({ source, namespace, keys }: BusMessage): Promise<void> {
    if (this.#closed) throw new ClosedError('redisBus', 'PERF_CACHE_CLOSED');
    await this.#redis.publish(this.#channel, JSON.stringify([source, namespace, keys]));
  }

  subscribe(listener: BusListener): () => void {
    if (this.#closed) throw new ClosedError('redisBus', 'PERF_CACHE_CLOSED');
    this.#listeners.add(listener);
    this.#subscriber ??= this.#connect();
    if (this.#connected) listener.onConnected();
    return () => this.#listeners.delete(listener);
  }

  /** Ends the subscriptions and closes the connection they ran on; idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#setConnected(false);
    this.#listeners.clear();
    this.#subscriber?.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #connect(): RedisSubscriber {
    const subscriber = this.#redis.duplicate();
    // Listeners first: nothing may be said before there is someone to hear it.
    subscriber.on('message', (channel, text) => {
      if (channel === this.#channel) this.#hear(String(text));
    });
    subscriber.on('ready', () => void this.#listen(subscriber));
    subscriber.on('close', () => this.#setConnected(false));
    // Reported by the client's own connection as well; without a listener it would end the process.
    subscriber.on('error', () => {});
    if (subscriber.status === 'ready' || subscriber.status === 'wait') void this.#listen(subscriber);
    return subscriber;
  }

  /** Connected means that Redis has confirmed the subscription, not that there is a connection. */
  async #listen(subscriber: RedisSubscriber): Promise<void> {
    try {
      await subscriber.subscribe(this.#channel);
      if (!this.#closed && subscriber.status === 'ready') this.#setConnected(true);
    } catch {
      // The connection was lost again: the next 'ready' tries once more.
    }
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) {
      if (connected) listener.onConnected();
      else listener.onDisconnected();
    }
  }

  #hear(text: string): void {
    const message = parse(text);
    if (message === undefined) return;
    for (const listener of this.#listeners) listener.onMessage(message);
  }
}

/** `undefined` for what is not ours. */
function parse(text: string): BusMessage | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (!Array.isArray(message)) return undefined;
    const [source, namespace, keys] = message as unknown[];
    if (typeof source !== 'string' || typeof namespace !== 'string') return undefined;
    if (keys === null || keys === undefined) return { source, namespace, keys: undefined };
    return Array.isArray(keys) ? { source, namespace, keys: keys.map(String) } : undefined;
  } catch {
    return undefined;
  }
}
