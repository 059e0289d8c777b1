const NONE = -1;

/** The links of several {@link SlotList | lists} over the same slots. A slot is in one list at a time. */
export class SlotLinks {
  next: Int32Array = new Int32Array(0);
  previous: Int32Array = new Int32Array(0);

  clear(): void {
    this.next = this.previous = new Int32Array(0);
  }

  grow(capacity: number): void {
    this.next = extended(this.next, capacity);
    this.previous = extended(this.previous, capacity);
  }
}

/** A doubly linked list of slots. Every operation is O(1) and allocates nothing. */
export class SlotList {
  readonly #links: SlotLinks;
  #head: number = NONE;
  #tail: number = NONE;
  #length = 0;

  constructor(links: SlotLinks) {
    this.#links = links;
  }

  get length(): number {
    return this.#length;
  }

  /** The slot that was pushed longest ago, -1 when the list is empty. */
  get tail(): number {
    return this.#tail;
  }

  /** The slot that was pushed next after this one, -1 when it was the last. */
  newer(slot: number): number {
    return this.#links.previous[slot] as number;
  }

  push(slot: number): void {
    const { next, previous } = this.#links;
    next[slot] = this.#head;
    previous[slot] = NONE;
    if (this.#head === NONE) this.#tail = slot;
    else previous[this.#head] = slot;
    this.#head = slot;
    this.#length++;
  }

  remove(slot: number): void {
    const { next, previous } = this.#links;
    const after = next[slot] as number;
    const before = previous[slot] as number;
    if (before === NONE) this.#head = after;
    else next[before] = after;
    if (after === NONE) this.#tail = before;
    else previous[after] = before;
    this.#length--;
  }

  /** The slots, those that were pushed longest ago first. The list must not change meanwhile. */
  *slots(): Generator<number, undefined> {
    for (let slot = this.#tail; slot !== NONE; slot = this.#links.previous[slot] as number) yield slot;
  }

  clear(): void {
    this.#head = this.#tail = NONE;
    this.#length = 0;
  }
}

function extended(array: Int32Array, capacity: number): Int32Array {
  const longer = new Int32Array(capacity);
  longer.set(array);
  return longer;
}
