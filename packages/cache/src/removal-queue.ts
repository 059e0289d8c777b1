import type { RemovalReason } from './memory-options.ts';

type Listener<K, V> = (key: K, value: V, reason: RemovalReason) => void;

/**
 * Counts removals, and tells a listener of them one after the other, once the cache is consistent again. What the listener itself removes is told after it returns, so
 * that listeners never nest.
 */
export class RemovalQueue<K, V> {
  readonly #listener: Listener<K, V> | undefined;
  #waiting: [key: K, value: V, reason: RemovalReason][] = [];
  #telling = false;
  #set = 0;
  #evict = 0;
  #expire = 0;
  #delete = 0;
  #clear = 0;
  #errors = 0;

  constructor(listener: Listener<K, V> | undefined) {
    this.#listener = listener;
  }

  /** How often the listener threw. */
  get errors(): number {
    return this.#errors;
  }

  /** A fresh object. */
  get counts(): Record<RemovalReason, number> {
    return {
      set: this.#set,
      evict: this.#evict,
      expire: this.#expire,
      delete: this.#delete,
      clear: this.#clear,
    };
  }

  push(key: K, value: V, reason: RemovalReason): void {
    if (reason === 'evict') this.#evict++;
    else if (reason === 'expire') this.#expire++;
    else if (reason === 'set') this.#set++;
    else if (reason === 'delete') this.#delete++;
    else this.#clear++;
    if (this.#listener !== undefined) this.#waiting.push([key, value, reason]);
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
      this.#listener?.(key, value, reason);
    } catch {
      this.#errors++;
    }
  }
}
