import { randomUUID } from 'node:crypto';
import { TimeoutError, type Timer, deadline, startTimer } from '@perf/core';
import type { Bus, BusMessage } from './bus.ts';
import { BusError } from './errors.ts';
import { type Change, UnsyncedChanges } from './unsynced-changes.ts';

/** What a cache does when others change things. */
interface BusLinkListener {
  changed(change: Change): void;
  connected(connected: boolean): void;
}

interface BusLinkOptions {
  readonly bus: Bus;
  readonly namespace: string;
  readonly timeout: number;
}

/** Milliseconds between attempts to tell others of changes they have not heard of. */
const RETRY_AFTER = 1_000;
/** Keys or tags that are told of again in one message. */
const REPEATED_AT_ONCE = 500;

/** One cache's end of a bus: tells the others, again if need be, and hears them but not itself. */
export class BusLink {
  readonly #options: BusLinkOptions;
  readonly #source: string = randomUUID();
  readonly #unsubscribe: () => void;
  readonly #untold = new UnsyncedChanges();
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: BusLinkOptions, listener: BusLinkListener) {
    this.#options = options;
    // Until the bus says otherwise, messages may be missed.
    listener.connected(false);
    this.#unsubscribe = options.bus.subscribe({
      onMessage: (message) => this.#hear(message, listener),
      onConnected: () => listener.connected(true),
      onDisconnected: () => listener.connected(false),
    });
  }

  /** @throws BusError */
  async publish(change: Change): Promise<void> {
    const number = this.#untold.begin();
    try {
      await this.#publish(change);
      this.#untold.delete(change, number);
    } catch (cause) {
      this.#untold.add(change, number);
      this.#retryLater();
      throw new BusError({ cause });
    }
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#unsubscribe();
  }

  #publish(change: Change): Promise<void> {
    const { bus, namespace, timeout } = this.#options;
    const onTimeout = (): Error =>
      new TimeoutError(`the bus did not answer within ${timeout} ms`, { timeout, code: 'PERF_CACHE_BUS_TIMEOUT' });
    return deadline(() => bus.publish({ source: this.#source, namespace, ...change }), { timeout, onTimeout });
  }

  #retryLater(): void {
    if (this.#retry !== undefined || this.#closed) return;
    this.#retry = startTimer(() => void this.#tellAgain(), RETRY_AFTER, { unref: true });
  }

  async #tellAgain(): Promise<void> {
    this.#retry = undefined;
    for (let next = this.#untold.next(REPEATED_AT_ONCE); next !== undefined && !this.#closed;) {
      try {
        await this.publish(next);
      } catch {
        return;
      }
      next = this.#untold.next(REPEATED_AT_ONCE);
    }
  }

  #hear({ source, namespace, keys, tags }: BusMessage, listener: BusLinkListener): void {
    if (source === this.#source || namespace !== this.#options.namespace) return;
    listener.changed({ ...(keys && { keys }), ...(tags && { tags }) });
  }
}
