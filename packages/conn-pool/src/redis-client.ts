import type { Emitter } from './kept-listeners.ts';

/** What the pool uses of a client of ioredis: `Redis` of ioredis 5 and 6 has it. */
export interface RedisPoolClient {
  readonly status: string;
  connect(): Promise<unknown>;
  disconnect(): void;
  ping(): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close' | 'end' | 'ready', listener: () => void): unknown;
}

/** A command on its way. */
export interface RedisCommand {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What every client of ioredis has, and its types do not tell, or tell as what only it may change. */
export interface RedisInternals extends Emitter {
  readonly isCluster?: boolean | undefined;
  readonly options: {
    readonly db?: number | undefined;
    retryStrategy?: unknown;
    reconnectOnError?: unknown;
    autoResubscribe?: boolean | undefined;
    autoResendUnfulfilledCommands?: boolean | undefined;
  };
  readonly stream?: { readonly writable: boolean } | undefined;
  readonly condition?: { readonly subscriber?: RedisSubscriptions | false | undefined } | undefined;
  /** Sent, and not answered. */
  readonly commandQueue: RedisQueue;
  /** Not sent yet. */
  readonly offlineQueue: RedisQueue;
  /** Everything goes through it, what is in pipelines too. */
  sendCommand(command: RedisCommand, ...rest: unknown[]): unknown;
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
  off(event: string, listener: () => void): unknown;
}

/** What a client is subscribed to. */
export interface RedisSubscriptions {
  channels(kind: string): readonly string[];
  isEmpty(): boolean;
}

interface RedisQueue {
  readonly length: number;
  toArray(): { readonly command: RedisCommand }[];
}

const METHODS: readonly (keyof RedisPoolClient)[] = ['connect', 'disconnect', 'ping', 'on'];

/**
 * What there is of a client besides its published types.
 * @throws TypeError for what is no client of one Redis
 */
export function redisInternals(client: RedisPoolClient): RedisInternals {
  const internals = client as unknown as Partial<RedisInternals> | null | undefined;
  const missing = METHODS.find(
    (method) => typeof (client as Partial<RedisPoolClient> | null | undefined)?.[method] !== 'function',
  );
  if (missing !== undefined || typeof internals?.sendCommand !== 'function' || internals.options === undefined) {
    throw new TypeError('`client` must make a `Redis` of ioredis 5 or 6');
  }
  if (internals.isCluster === true) {
    throw new TypeError('`client` must make clients of one Redis; a Cluster has a connection for each of its nodes');
  }
  return internals as RedisInternals;
}
