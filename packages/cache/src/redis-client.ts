/** An argument of a Redis command. */
export type RedisArgument = string | Buffer | number;

/** The part of an ioredis client (5 or 6, `Redis` or `Cluster`) that {@link redisStore} uses. */
export interface RedisClient {
  /** True for a `Cluster`, whose pipelines reach one node only. */
  readonly isCluster?: boolean;
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
  pipeline(): RedisPipeline;
}

/** Commands that are sent together. */
export interface RedisPipeline {
  callBuffer(command: string, args: RedisArgument[]): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** The part of an ioredis client that {@link redisBus} uses. */
export interface RedisBusClient {
  readonly isCluster?: boolean;
  publish(channel: string, message: string): Promise<unknown>;
  /** A connection of its own, since one that subscribes can do nothing else. */
  duplicate(): RedisSubscriber;
}

/** A connection that subscribes. */
export interface RedisSubscriber {
  readonly status: string;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}
