import { randomUUID } from 'node:crypto';
import { TimeoutError, deadline } from '@perf/core';
import type { Bus, BusMessage } from './bus.ts';
import { BusError } from './errors.ts';

/** What a cache does when others change things. */
interface BusLinkListener {
  changed(keys: readonly string[]): void;
  allChanged(): void;
  connected(connected: boolean): void;
}

interface BusLinkOptions {
  readonly bus: Bus;
  readonly namespace: string;
  readonly timeout: number;
}

/** One cache's end of a bus: tells the others, and hears them but not itself. */
export class BusLink {
  readonly #options: BusLinkOptions;
  readonly #source: string = randomUUID();
  readonly #unsubscribe: () => void;

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

  /** @param keys whose values changed; `undefined` for all. @throws BusError */
  async publish(keys: readonly string[] | undefined): Promise<void> {
    const { bus, namespace, timeout } = this.#options;
    const message: BusMessage = { source: this.#source, namespace, keys };
    const onTimeout = (): Error =>
      new TimeoutError(`the bus did not answer within ${timeout} ms`, { timeout, code: 'PERF_CACHE_BUS_TIMEOUT' });
    try {
      await deadline(() => bus.publish(message), { timeout, onTimeout });
    } catch (cause) {
      throw new BusError({ cause });
    }
  }

  close(): void {
    this.#unsubscribe();
  }

  #hear({ source, namespace, keys }: BusMessage, listener: BusLinkListener): void {
    if (source === this.#source || namespace !== this.#options.namespace) return;
    if (keys === undefined) listener.allChanged();
    else listener.changed(keys);
  }
}
