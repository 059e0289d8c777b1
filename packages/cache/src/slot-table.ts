const FIRST_CAPACITY = 16;

/** In the place of a key: nobody else has it. */
const FREE: unique symbol = Symbol('free');

/**
 * The entries of a cache as parallel arrays: one slot number finds all that is known about an entry, and a million entries
 * are a handful of objects to the garbage collector. There are no deadlines and no weights until an entry has one of its own.
 */
export class SlotTable<K, V> {
  keys: (K | typeof FREE)[] = [];
  values: (V | undefined)[] = [];
  /** When the entries expire, in milliseconds of the cache's clock; `Infinity` for never. */
  deadlines: Float64Array | undefined;
  /** Absent while each weighs 1. */
  weights: Float64Array | undefined;
  #free: number[] = [];
  #used = 0;
  #capacity = 0;

  constructor() {
    this.#fit(FIRST_CAPACITY);
  }

  /** How many slots the arrays have room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** One more than the highest slot that was ever taken. */
  get end(): number {
    return this.#used;
  }

  isTaken(slot: number): boolean {
    return slot < this.#used && this.keys[slot] !== FREE;
  }

  /** `Infinity` for never. */
  deadlineAt(slot: number): number {
    return this.deadlines === undefined ? Infinity : (this.deadlines[slot] as number);
  }

  weightAt(slot: number): number {
    return this.weights === undefined ? 1 : (this.weights[slot] as number);
  }

  /** Takes a slot for an entry, one of at most `limit`; its deadline and weight are the caller's to set. */
  allocate(key: K, value: V, limit: number): number {
    const slot = this.#free.length > 0 ? (this.#free.pop() as number) : this.#used++;
    if (slot >= this.#capacity) this.#fit(Math.max(slot + 1, Math.min(this.#capacity * 2, limit)));
    this.keys[slot] = key;
    this.values[slot] = value;
    return slot;
  }

  release(slot: number): void {
    this.keys[slot] = FREE;
    this.values[slot] = undefined;
    this.#free.push(slot);
  }

  setDeadline(slot: number, deadline: number): void {
    if (this.deadlines === undefined) {
      if (deadline === Infinity) return;
      this.deadlines = new Float64Array(this.#capacity).fill(Infinity);
    }
    this.deadlines[slot] = deadline;
  }

  setWeight(slot: number, weight: number): void {
    if (this.weights === undefined) {
      if (weight === 1) return;
      this.weights = new Float64Array(this.#capacity).fill(1);
    }
    this.weights[slot] = weight;
  }

  /** Frees every slot and the memory of all of them. */
  clear(): void {
    this.keys = [];
    this.values = [];
    this.deadlines = this.weights = undefined;
    this.#free = [];
    this.#used = this.#capacity = 0;
    this.#fit(FIRST_CAPACITY);
  }

  #fit(capacity: number): void {
    extend(this.keys, capacity, FREE);
    extend(this.values, capacity, undefined);
    if (this.deadlines !== undefined) this.deadlines = extended(this.deadlines, capacity);
    if (this.weights !== undefined) this.weights = extended(this.weights, capacity);
    this.#capacity = capacity;
  }
}

/** To exactly that length: pushing would make room for half as much again. */
function extend<T>(array: T[], capacity: number, filler: T): void {
  const length = array.length;
  array.length = capacity;
  array.fill(filler, length);
}

function extended(array: Float64Array, capacity: number): Float64Array {
  const longer = new Float64Array(capacity);
  longer.set(array);
  return longer;
}
