import type { RemovalReason } from './memory-options.ts';

type Listener<K, V> = (key: K, value: V, reason: RemovalReason) => void;

/**
 * Tells a listener of removals one after the other, once the cache is consistent again. What the listener itself removes is told after it returns, so
 * that listeners never nest.
 */
export class RemovalQueue<K, V> {
  readonly #listener: Listener<K, V>;
  #waiting: [key: K, value: V, reason: RemovalReason][] = [];
  #telling = false;
  #errors = 0;

  constructor(listener: Listener<K, V>) {
    this.#listener = listener;
  }

  /** How often the listener threw. */
  get errors(): number {
    return this.#errors;
  }

  push(key: K, value: V, reason: RemovalReason): void {
    this.#waiting.push([key, value, reason]);
  }

  /** Tells what waits, unless that is going on already. */
  flush(): void {
    if (this.#telling || this.#waiting.length === 0) return;
    this.#telling = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const [key, value, reason] of batch) this.#tell(key, value, reason);
    }
    this.#telling = false;
  }

  #tell(key: K, value: V, reason: RemovalReason): void {
    try {
      this.#listener(key, value, reason);
    } catch {
      this.#errors++;
    }
  }
}
