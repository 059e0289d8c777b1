import { ClosedError } from '@perf/core';
import type { BusListener, BusMessage } from './bus.ts';

/** Those who listen to a bus, and whether it is connected. */
export class RedisListeners {
  readonly #name: string;
  readonly #listeners = new Set<BusListener>();
  #connected = false;
  #closed = false;

  constructor(name: string) {
    this.#name = name;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get connected(): boolean {
    return this.#connected;
  }

  add(listener: BusListener): () => void {
    this.checkOpen();
    // The same listener may subscribe twice, and end one of its subscriptions.
    const own: BusListener = {
      onMessage: (message) => listener.onMessage(message),
      onConnected: () => listener.onConnected(),
      onDisconnected: () => listener.onDisconnected(),
    };
    this.#listeners.add(own);
    if (this.#connected) own.onConnected();
    return () => this.#listeners.delete(own);
  }

  /** @throws ClosedError */
  checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#name, 'PERF_CACHE_CLOSED');
  }

  hear(message: BusMessage): void {
    for (const listener of this.#listeners) listener.onMessage(message);
  }

  setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) {
      if (connected) listener.onConnected();
      else listener.onDisconnected();
    }
  }

  close(): void {
    this.setConnected(false);
    this.#closed = true;
    this.#listeners.clear();
  }
}
