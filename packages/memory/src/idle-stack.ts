/**
 * What a pool keeps for later, last in first out: what was used last is the warmest in the caches, and what nobody needs sinks to the
 * bottom, where trimming takes it.
 */
export class IdleStack<T> {
  #items: T[] = [];
  /** The fewest items there were since the last trimming: that many were not needed. */
  #lowest = 0;

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T | undefined {
    const items = this.#items;
    const item = items.pop();
    if (items.length < this.#lowest) this.#lowest = items.length;
    return item;
  }

  /** Takes out the items that were not needed since the last call: after two calls in quiet times all that a burst left. */
  takeSurplus(): T[] {
    const surplus = this.#items.splice(0, this.#lowest);
    this.#lowest = this.#items.length;
    return surplus;
  }

  /** Takes everything out, and lets go of the memory that held it. */
  takeAll(): T[] {
    const all = this.#items;
    this.#items = [];
    this.#lowest = 0;
    return all;
  }
}
