import type { Bus, BusListener, BusMessage } from '../src/index.ts';

/** A bus whose messages wait until they are delivered, and that can lose its connection. */
export class FakeBus implements Bus {
  readonly #listeners = new Set<BusListener>();
  readonly #waiting: BusMessage[] = [];
  #connected = true;
  broken = false;
  /** Whether messages arrive by themselves. */
  immediate = true;

  get listeners(): number {
    return this.#listeners.size;
  }

  async publish(message: BusMessage): Promise<void> {
    if (this.broken) throw new Error('the bus is broken');
    this.#waiting.push(message);
    if (this.immediate) this.deliver();
  }

  subscribe(listener: BusListener): () => void {
    this.#listeners.add(listener);
    if (this.#connected) listener.onConnected();
    return () => this.#listeners.delete(listener);
  }

  /** Delivers what waits; messages of a time without connection are lost. */
  deliver(): void {
    for (const message of this.#waiting.splice(0)) {
      if (!this.#connected) continue;
      for (const listener of this.#listeners) listener.onMessage(message);
    }
  }

  connect(connected: boolean): void {
    this.#connected = connected;
    for (const listener of this.#listeners) {
      if (connected) listener.onConnected();
      else listener.onDisconnected();
    }
  }
}
