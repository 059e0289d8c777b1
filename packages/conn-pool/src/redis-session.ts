import { KeptListeners } from './kept-listeners.ts';
import type { CreateContext } from './options.ts';
import { type RedisInternals, type RedisPoolClient, redisInternals } from './redis-client.ts';
import { RedisClientUnfitError } from './redis-errors.ts';
import { RedisTraces, isBlocking } from './redis-traces.ts';

/** The events callers listen for. */
const EVENTS: readonly string[] = [
  'message',
  'messageBuffer',
  'pmessage',
  'pmessageBuffer',
  'smessage',
  'smessageBuffer',
  'error',
  'close',
  'end',
  'select',
];

/** One connection: its client, and what is known of its state. */
export class RedisSession {
  readonly #client: RedisPoolClient;
  readonly #internals: RedisInternals;
  readonly #traces: RedisTraces;
  #listeners: KeptListeners | undefined;

  /** @throws TypeError for what is no client of one Redis */
  constructor(client: RedisPoolClient) {
    this.#client = client;
    this.#internals = redisInternals(client);
    this.#traces = new RedisTraces(this.#internals.options.db ?? 0);
    // A client that reconnects by itself would lose the state of its lease behind its caller's back, and be one too many for the pool.
    Object.assign(this.#internals.options, {
      retryStrategy: null,
      reconnectOnError: null,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
    });
  }

  /** Connects, if the client has not begun to by itself. While nobody listens for its errors, this does. */
  async open({ signal, lost }: CreateContext): Promise<void> {
    let failure: unknown;
    this.#client.on('error', (error) => {
      failure ??= error;
    });
    this.#client.on('close', () => lost(failure ?? new Error('the connection to Redis was closed')));
    const onAbort = (): void => this.#client.disconnect();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await (this.#client.status === 'wait' ? this.#client.connect() : this.#ready());
      signal.throwIfAborted();
    } catch (error) {
      await this.end();
      // What the client rejects with says no more than that the connection was closed.
      throw signal.aborted ? signal.reason : (failure ?? error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    this.#watch();
    this.#listeners = new KeptListeners(this.#internals, EVENTS);
  }

  /** Clears what a caller left behind; returns a promise only if there is something to wait for. @throws RedisClientUnfitError */
  reset(): Promise<void> | undefined {
    this.#listeners?.restore();
    if (!this.#isOpen()) throw new RedisClientUnfitError('its connection is closed');
    const { irreversible, subscribed, clearing } = this.#traces;
    if (irreversible !== undefined) throw new RedisClientUnfitError(`\`${irreversible}\` cannot be taken back`);
    const { commandQueue, offlineQueue } = this.#internals;
    const pending = commandQueue.length + offlineQueue.length > 0;
    if (pending && [...commandQueue.toArray(), ...offlineQueue.toArray()].some(({ command }) => isBlocking(command))) {
      throw new RedisClientUnfitError('it was given back while a command blocks it');
    }
    if (!pending && subscribed.length === 0 && clearing.length === 0) return undefined;
    return this.#clear(subscribed, clearing);
  }

  /** Whether the server answers. */
  async ping(): Promise<boolean> {
    if (!this.#isOpen()) return false;
    await this.#client.ping();
    return true;
  }

  /** Closes the connection; ioredis destroys it when the server does not say goodbye. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      const { status } = this.#client;
      if (status === 'end') {
        resolve();
        return;
      }
      this.#client.on('end', resolve);
      this.#client.disconnect();
    });
  }

  async #clear(subscribed: readonly string[], clearing: RedisTraces['clearing']): Promise<void> {
    const client = this.#internals;
    // ioredis loses count of them together.
    if (subscribed.length > 1 && subscribed.includes('ssubscribe')) {
      throw new RedisClientUnfitError('it was subscribed to channels of shards and others');
    }
    await this.#client.ping();
    // By name, and one kind after the other: without names, ioredis waits until nothing of any kind is left.
    for (const kind of subscribed) {
      const channels = (client.condition?.subscriber || undefined)?.channels(kind) ?? [];
      if (channels.length > 0) await client.call(kind.replace('subscribe', 'unsubscribe'), ...channels);
    }
    const { subscriber = false } = client.condition ?? {};
    if (subscriber !== false && !subscriber.isEmpty()) throw new RedisClientUnfitError('it is still subscribed');
    await Promise.all(clearing.map(([command, ...args]) => client.call(command, ...args)));
    this.#traces.reset();
  }

  /** `disconnect()` changes the status no sooner than the server says goodbye. */
  #isOpen(): boolean {
    return this.#client.status === 'ready' && this.#internals.stream?.writable !== false;
  }

  /** Looks at every command, since the server does not tell what state a connection is in. */
  #watch(): void {
    const traces = this.#traces;
    const client = this.#internals;
    const send = client.sendCommand.bind(client);
    client.sendCommand = (command, ...rest) => {
      traces.note(command);
      return send(command, ...rest);
    };
  }

  #ready(): Promise<void> {
    if (this.#client.status === 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#client.on('ready', resolve);
      this.#client.on('end', () => reject(new Error('the connection was closed before it was established')));
    });
  }
}
