import { randomUUID } from 'node:crypto';
import { type Closeable, checkDuration, checkName, checkOptions } from '@perf/core';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import {
  type RedisBusClient,
  type RedisNode,
  type RedisNodes,
  type RedisSubscriber,
  checkRedis,
} from './redis-client.ts';
import { RedisListeners } from './redis-listeners.ts';
import { RedisSubscription, SUBSCRIBER_OPTIONS } from './redis-subscription.ts';

/** Options of {@link redisBus}. */
export interface RedisBusOptions {
  /** The Redis channel; caches hear each other on the same one. @default 'perf:invalidate' */
  readonly channel?: string;
  /**
   * Milliseconds between two signs of life of the connection that listens, and for which one may be late. A connection that is dead without a word is found after twice as long at the latest.
   * @default 5_000
   */
  readonly heartbeat?: number;
}

/** A bus with a connection of its own. */
export interface RedisBus extends Bus, Closeable {}

/**
 * Carries invalidations over Redis publish/subscribe. It publishes on your client, which stays yours to close, and listens on a connection of its own, made with `duplicate()` when the first
 * cache subscribes: in a Cluster to any of its nodes, and to another one when that is lost. Whenever that connection is lost the caches are told, and again when it listens once more: what was
 * published in between is gone. Its connection keeps the process alive until it is closed.
 *
 * @throws RangeError or TypeError naming the option that is wrong
 */
export function redisBus(redis: RedisBusClient, options: RedisBusOptions = {}): RedisBus {
  checkRedis(redis, ['publish']);
  checkRedis(redis, [isCluster(redis) ? 'nodes' : 'duplicate']);
  checkOptions('redisBus', options, ['channel', 'heartbeat']);
  const { channel = 'perf:invalidate', heartbeat = 5_000 } = options;
  return new RedisPubSub(redis, {
    channel: checkName('channel', channel),
    heartbeat: checkDuration('heartbeat', heartbeat),
  });
}

class RedisPubSub implements RedisBus {
  readonly #redis: RedisBusClient;
  readonly #channel: string;
  readonly #heartbeat: number;
  readonly #listeners = new RedisListeners('redisBus');
  /** Where this bus alone hears itself. */
  readonly #echo: string;
  #onEcho: (() => void) | undefined;
  #subscription: RedisSubscription | undefined;

  constructor(redis: RedisBusClient, { channel, heartbeat }: Required<RedisBusOptions>) {
    this.#redis = redis;
    this.#channel = channel;
    this.#heartbeat = heartbeat;
    this.#echo = `${channel}:${randomUUID()}`;
  }

  get closed(): boolean {
    return this.#listeners.closed;
  }

  async publish({ source, namespace, keys, tags }: BusMessage): Promise<void> {
    this.#listeners.checkOpen();
    await this.#redis.publish(this.#channel, JSON.stringify([source, namespace, keys ?? null, tags ?? null]));
  }

  subscribe(listener: BusListener): () => void {
    const end = this.#listeners.add(listener);
    this.#subscription ??= new RedisSubscription({
      connect: () => this.#node()?.duplicate(SUBSCRIBER_OPTIONS),
      start: async (subscriber) => {
        await subscriber.subscribe(this.#channel, this.#echo);
      },
      beat: (subscriber) => this.#beat(subscriber),
      heartbeat: this.#heartbeat,
      onMessage: (channel, payload) => this.#hear(channel, payload),
      onConnected: (connected) => this.#listeners.setConnected(connected),
    });
    return end;
  }

  /** Ends the subscriptions and closes the connection they ran on; idempotent. */
  async close(): Promise<void> {
    this.#subscription?.close();
    this.#listeners.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Any node of a Cluster hears what is published on any other. */
  #node(): RedisNode | undefined {
    if (!isCluster(this.#redis)) return this.#redis;
    const nodes = this.#redis.nodes();
    return nodes[Math.floor(Math.random() * nodes.length)];
  }

  /** In a Cluster messages pass from node to node, so that a node which answers may still be one that hears nothing. */
  async #beat(subscriber: RedisSubscriber): Promise<void> {
    await subscriber.ping();
    if (!isCluster(this.#redis)) return;
    const heard = new Promise<void>((resolve) => (this.#onEcho = resolve));
    try {
      await this.#redis.publish(this.#echo, '');
    } catch {
      // That nothing can be published says nothing about what is heard.
      return;
    }
    await heard;
  }

  #hear(channel: Buffer, payload: unknown): void {
    if (channel.toString() !== this.#channel) return this.#onEcho?.();
    const message = parse(String(payload));
    if (message !== undefined) this.#listeners.hear(message);
  }
}

function isCluster(redis: RedisBusClient): redis is RedisBusClient & RedisNodes {
  return 'isCluster' in redis && redis.isCluster;
}

/** `undefined` for what is not ours. */
function parse(text: string): BusMessage | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (!Array.isArray(message)) return undefined;
    const [source, namespace, keys, tags] = message as unknown[];
    if (typeof source !== 'string' || typeof namespace !== 'string') return undefined;
    if (!isNames(keys) || !isNames(tags)) return undefined;
    return { source, namespace, ...(keys && { keys }), ...(tags && { tags }) };
  } catch {
    return undefined;
  }
}

function isNames(names: unknown): names is readonly string[] | null | undefined {
  return names === null || names === undefined || (Array.isArray(names) && names.every((n) => typeof n === 'string'));
}
