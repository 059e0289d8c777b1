const FIRST_CAPACITY = 16;

/**
 * The entries of a cache as parallel arrays: one slot number finds all that is known about an entry, and a million entries
 * are a handful of objects to the garbage collector.
 *
 * A free slot has the deadline `NaN`, which every comparison with a time refuses.
 */
export class SlotTable<K, V> {
  readonly keys: (K | undefined)[] = [];
  readonly values: (V | undefined)[] = [];
  /** When the entry expires, in milliseconds of the cache's clock; `Infinity` for never. */
  deadlines: Float64Array = new Float64Array(FIRST_CAPACITY).fill(NaN);
  weights: Float64Array = new Float64Array(FIRST_CAPACITY);
  readonly #free: number[] = [];
  #used = 0;

  /** How many slots the arrays have room for. */
  get capacity(): number {
    return this.deadlines.length;
  }

  /** One more than the highest slot that was ever taken. */
  get end(): number {
    return this.#used;
  }

  isTaken(slot: number): boolean {
    return !Number.isNaN(this.deadlines[slot]);
  }

  /** Takes a slot for an entry; its deadline is the caller's to set. */
  allocate(key: K, value: V): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.capacity) this.#grow();
    this.keys[slot] = key;
    this.values[slot] = value;
    return slot;
  }

  release(slot: number): void {
    this.keys[slot] = undefined;
    this.values[slot] = undefined;
    this.deadlines[slot] = NaN;
    this.#free.push(slot);
  }

  /** Frees every slot and the memory of all of them. */
  clear(): void {
    this.keys.length = this.values.length = this.#free.length = this.#used = 0;
    this.deadlines = new Float64Array(FIRST_CAPACITY).fill(NaN);
    this.weights = new Float64Array(FIRST_CAPACITY);
  }

  #grow(): void {
    const capacity = this.capacity * 2;
    const deadlines = new Float64Array(capacity).fill(NaN, this.capacity);
    deadlines.set(this.deadlines);
    const weights = new Float64Array(capacity);
    weights.set(this.weights);
    this.deadlines = deadlines;
    this.weights = weights;
  }
}
