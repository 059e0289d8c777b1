import { type Timer, startTimer } from '@perf/core';
import type { RedisSubscriber, RedisSubscriberOptions } from './redis-client.ts';

/** Of the connection that listens. It is never mended, but replaced: that way it can move to another node, and never be half one thing and half another. */
export const SUBSCRIBER_OPTIONS: RedisSubscriberOptions = {
  retryStrategy: () => null,
  lazyConnect: false,
  autoResubscribe: false,
  enableOfflineQueue: false,
};

const FIRST_RETRY = 50;
const LONGEST_RETRY = 2_000;
/** Milliseconds for a connection to be made and to subscribe. */
const LONGEST_START = 10_000;

interface RedisSubscriptionOptions {
  /** Makes a connection; `undefined` when there is nothing to connect to yet. */
  connect(): RedisSubscriber | undefined;
  /** Subscribes. Listeners are in place when it is called. */
  start(subscriber: RedisSubscriber): Promise<void>;
  /** Asks for a sign of life, which is late when it has not come within `heartbeat` milliseconds. */
  beat(subscriber: RedisSubscriber): Promise<unknown>;
  readonly heartbeat: number;
  onMessage(channel: Buffer, payload: unknown): void;
  onConnected(connected: boolean): void;
}

/** A subscription that lives on through lost connections, and knows when it may have missed something. */
export class RedisSubscription {
  readonly #options: RedisSubscriptionOptions;
  #subscriber: RedisSubscriber | undefined;
  #connected = false;
  #closed = false;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: RedisSubscriptionOptions) {
    this.#options = options;
    this.#connect();
  }

  /** Idempotent. Says that it is no longer connected, and nothing after that. */
  close(): void {
    if (this.#closed) return;
    this.#setConnected(false);
    this.#closed = true;
    this.#timer?.cancel();
    this.#subscriber?.disconnect();
    this.#subscriber = undefined;
  }

  #connect(): void {
    if (this.#closed) return;
    const subscriber = attempt(() => this.#options.connect());
    if (subscriber === undefined) return this.#retry();
    this.#subscriber = subscriber;
    // Listeners first: nothing may be said before there is someone to hear it.
    subscriber.on('messageBuffer', (channel, payload) => this.#options.onMessage(channel as Buffer, payload));
    // Reported by the client's own connection as well; without a listener it would end the process.
    subscriber.on('error', () => {});
    subscriber.on('ready', () => void this.#start(subscriber));
    subscriber.on('close', () => this.#giveUp(subscriber));
    subscriber.on('end', () => this.#giveUp(subscriber));
    this.#after(Math.max(LONGEST_START, this.#options.heartbeat), () => this.#giveUp(subscriber));
    if (subscriber.status === 'ready') void this.#start(subscriber);
  }

  /** Connected means that Redis has confirmed the subscription, not that there is a connection. */
  async #start(subscriber: RedisSubscriber): Promise<void> {
    try {
      await this.#options.start(subscriber);
    } catch {
      return this.#giveUp(subscriber);
    }
    if (this.#closed || this.#subscriber !== subscriber || subscriber.status !== 'ready') return;
    this.#failures = 0;
    this.#setConnected(true);
    this.#beat(subscriber);
  }

  /** A connection may be dead without a word: then messages are missed for ever, and it looks like peace. */
  #beat(subscriber: RedisSubscriber): void {
    let answered = false;
    this.#options.beat(subscriber).then(
      () => (answered = true),
      () => this.#giveUp(subscriber),
    );
    const check = (): void => {
      if (this.#closed || this.#subscriber !== subscriber) return;
      if (answered) this.#beat(subscriber);
      else this.#giveUp(subscriber);
    };
    // After a blocked event loop, the answer may be waiting to be read.
    this.#after(this.#options.heartbeat, () => setImmediate(check));
  }

  /** Without waiting for its end, which a connection to nowhere does not have soon. */
  #giveUp(subscriber: RedisSubscriber): void {
    if (this.#subscriber !== subscriber) return;
    this.#subscriber = undefined;
    this.#setConnected(false);
    subscriber.disconnect();
    this.#retry();
  }

  #retry(): void {
    const longest = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(this.#failures++, 10));
    this.#after(longest * (0.5 + Math.random() / 2), () => this.#connect());
  }

  /** There is one thing at a time to wait for. */
  #after(ms: number, callback: () => void): void {
    this.#timer?.cancel();
    if (!this.#closed) this.#timer = startTimer(callback, ms, { unref: true });
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected || this.#closed) return;
    this.#connected = connected;
    this.#options.onConnected(connected);
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
