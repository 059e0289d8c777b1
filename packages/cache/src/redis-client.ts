/** An argument of a Redis command. */
export type RedisArgument = string | Buffer | number;

/** The part of an ioredis client (5 or 6, `Redis` or `Cluster`) that {@link redisStore} uses. */
export interface RedisClient {
  /** True for a `Cluster`. */
  readonly isCluster?: boolean;
  /** All of what is asked of one Redis goes through it. */
  pipeline(): RedisPipeline;
  /** This and the following are for a Cluster, whose pipelines reach one node only. */
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
  /** There, but not in the types of ioredis. */
  evalBuffer?(script: string, keys: number, ...args: RedisArgument[]): Promise<unknown>;
  /** There, but not in the types of ioredis. */
  evalshaBuffer?(sha: string, keys: number, ...args: RedisArgument[]): Promise<unknown>;
  set(key: string | Buffer, value: Buffer, unit: 'PX', ttl: number): Promise<unknown>;
  hsetnx(key: string, field: string, value: string): Promise<unknown>;
}

/** Commands that are sent together. */
export interface RedisPipeline {
  callBuffer(command: string, args: RedisArgument[]): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** The part of an ioredis client of one Redis that {@link redisBus} uses. */
export interface RedisNode {
  /** A connection of its own, since one that subscribes can do nothing else. */
  duplicate(override?: RedisSubscriberOptions): RedisSubscriber;
}

/** The part of an ioredis client (5 or 6, `Redis` or `Cluster`) that {@link redisBus} uses. */
export type RedisBusClient = RedisPublisher & (RedisNode | RedisNodes);

/** Whom messages are published with. */
export interface RedisPublisher {
  publish(channel: string, message: string): Promise<unknown>;
}

/** The part of a `Cluster` that tells its nodes. */
export interface RedisNodes {
  readonly isCluster: boolean;
  nodes(): RedisNode[];
}

/** The part of an ioredis client (5 or 6, of one Redis) that {@link redisTracking} uses. */
export interface RedisTrackingClient extends RedisNode {
  readonly isCluster?: boolean;
  readonly status: string;
  readonly options?: { readonly keyPrefix?: string | undefined };
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What a connection that subscribes does differently from the one it is made of. */
export interface RedisSubscriberOptions {
  readonly retryStrategy: () => null;
  readonly lazyConnect: boolean;
  readonly autoResubscribe: boolean;
  readonly enableOfflineQueue: boolean;
  /** Only ioredis 6 knows it. */
  readonly protocol?: 2;
}

/** A connection that subscribes. */
export interface RedisSubscriber {
  readonly status: string;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  ping(): Promise<unknown>;
  disconnect(): void;
}

/** @throws TypeError for what is no client of ioredis, such as a URL, or a client of another package */
export function checkRedis(redis: unknown, methods: readonly string[]): void {
  const client = redis as Record<string, unknown> | null | undefined;
  const missing = methods.find((method) => typeof client?.[method] !== 'function');
  if (missing === undefined) return;
  throw new TypeError(`\`redis\` must be a client of ioredis, and this has no method \`${missing}\``);
}
