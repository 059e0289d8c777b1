import type { StatsSource } from '@perf/core';

/** What {@link WeakValueMap.stats} reports. */
export interface WeakValueMapStats {
  /** Entries in the map, those included whose value is gone and that were not found out yet. O(1), unlike `size`. */
  readonly entries: number;
  /** How often `get` and `has` found a live value. */
  readonly hits: number;
  /** How often they did not. */
  readonly misses: number;
  /** Entries removed because their value was collected. */
  readonly collected: number;
}

/** One `set`, never reused: a finalizer that comes late finds another cell under its key, and leaves that alone. */
interface Cell<K, V extends object> {
  readonly key: K;
  readonly value: WeakRef<V>;
}

/**
 * A map that does not keep its values alive: an entry goes when nothing else holds its value.
 *
 * For finding what exists already: one live document per path, one parsed schema per text. It is no cache: what nobody holds is gone at the
 * next collection, and when that is, is up to the engine. A value seen or set stays alive until the running macrotask ends.
 *
 * Keys are held as long as their value lives. A key that itself refers to its value keeps it alive for ever: use another key.
 */
export class WeakValueMap<K, V extends object> implements Iterable<[K, V]>, StatsSource<WeakValueMapStats> {
  readonly #cells: Map<K, Cell<K, V>>;
  readonly #registry: FinalizationRegistry<Cell<K, V>>;
  readonly #counts: { collected: number };
  #hits = 0;
  #misses = 0;

  constructor(entries?: Iterable<readonly [K, V]>) {
    const cells = new Map<K, Cell<K, V>>();
    const counts = { collected: 0 };
    this.#cells = cells;
    this.#counts = counts;
    // Closes over the cells, not over the map object: a forgotten map can be collected while its values live.
    this.#registry = new FinalizationRegistry((cell) => {
      if (cells.get(cell.key) !== cell) return;
      cells.delete(cell.key);
      counts.collected++;
    });
    for (const [key, value] of entries ?? []) this.set(key, value);
  }

  /** The live value under `key`, or `undefined`. O(1). */
  get(key: K): V | undefined {
    const value = this.#live(key);
    if (value === undefined) this.#misses++;
    else this.#hits++;
    return value;
  }

  /** Whether there is a live value under `key`; it stays so until the running macrotask ends. O(1). */
  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /**
   * Puts `value` under `key`, in place of what was there. O(1).
   * @throws TypeError when `value` is no object
   */
  set(key: K, value: V): this {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      throw new TypeError(`a WeakValueMap holds objects, got ${value === null ? 'null' : typeof value}`);
    }
    // As in a `Map`, a key keeps its place while its entry lives.
    if (this.#live(key) === value) return this;
    const before = this.#cells.get(key);
    if (before !== undefined) this.#registry.unregister(before);
    const cell: Cell<K, V> = { key, value: new WeakRef(value) };
    this.#cells.set(key, cell);
    this.#registry.register(value, cell, cell);
    return this;
  }

  /** Removes the entry of `key`; says whether there was a live one. O(1). */
  delete(key: K): boolean {
    const lives = this.#live(key) !== undefined;
    const cell = this.#cells.get(key);
    if (cell !== undefined) {
      this.#registry.unregister(cell);
      this.#cells.delete(key);
    }
    return lives;
  }

  /** Removes every entry. */
  clear(): void {
    for (const cell of this.#cells.values()) this.#registry.unregister(cell);
    this.#cells.clear();
  }

  /** How many live entries there are. O(n), and removes the dead ones; `stats().entries` is an upper bound in O(1). */
  get size(): number {
    for (const key of this.#cells.keys()) this.#live(key);
    return this.#cells.size;
  }

  /** The keys of the live entries, in the order they were set. */
  *keys(): Generator<K> {
    for (const [key] of this.entries()) yield key;
  }

  /** The live values, in the order they were set. */
  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The live entries, in the order they were set. */
  *entries(): Generator<[K, V]> {
    for (const key of this.#cells.keys()) {
      const value = this.#live(key);
      if (value !== undefined) yield [key, value];
    }
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  /** A snapshot of the counters. */
  stats(): WeakValueMapStats {
    return {
      entries: this.#cells.size,
      hits: this.#hits,
      misses: this.#misses,
      collected: this.#counts.collected,
    };
  }

  /** The live value under `key`; an entry found dead is removed on the way. */
  #live(key: K): V | undefined {
    const cell = this.#cells.get(key);
    if (cell === undefined) return undefined;
    const value = cell.value.deref();
    if (value === undefined) {
      this.#cells.delete(key);
      this.#registry.unregister(cell);
      this.#counts.collected++;
    }
    return value;
  }
}
