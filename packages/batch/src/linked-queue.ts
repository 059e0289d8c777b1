import { keep } from './keep.ts';

/** What an item needs to stand in a {@link LinkedQueue}: its neighbours. It stands in one queue at a time. */
export interface Link {
  previous: Link | undefined;
  next: Link | undefined;
}

/** First in, first out, and anything can leave from the middle in O(1): an aborted operation must not stay behind. */
export class LinkedQueue<T extends Link> implements Iterable<T> {
  #head: T | undefined;
  #tail: T | undefined;
  #size = 0;

  static {
    keep(new LinkedQueue());
  }

  get size(): number {
    return this.#size;
  }

  get head(): T | undefined {
    return this.#head;
  }

  get tail(): T | undefined {
    return this.#tail;
  }

  push(item: T): void {
    item.previous = this.#tail;
    item.next = undefined;
    if (this.#tail === undefined) this.#head = item;
    else this.#tail.next = item;
    this.#tail = item;
    this.#size++;
  }

  /** `item` must stand in this queue. */
  remove(item: T): void {
    const { previous, next } = item;
    if (previous === undefined) this.#head = next as T | undefined;
    else previous.next = next;
    if (next === undefined) this.#tail = previous as T | undefined;
    else next.previous = previous;
    item.previous = item.next = undefined;
    this.#size--;
  }

  /** Puts `by`, which stands in no queue, in the place of `item`. */
  replace(item: T, by: T): void {
    const { previous, next } = item;
    by.previous = previous;
    by.next = next;
    if (previous === undefined) this.#head = by;
    else previous.next = by;
    if (next === undefined) this.#tail = by;
    else next.previous = by;
    item.previous = item.next = undefined;
  }

  shift(): T | undefined {
    const first = this.#head;
    if (first !== undefined) this.remove(first);
    return first;
  }

  *[Symbol.iterator](): Generator<T> {
    let item = this.#head;
    while (item !== undefined) {
      const next = item.next as T | undefined;
      yield item;
      item = next;
    }
  }
}
