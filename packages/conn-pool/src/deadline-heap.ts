import type { WaitTerms } from './waiter.ts';

/** What has a deadline of its own. */
interface Due {
  readonly terms: WaitTerms | undefined;
}

/** Those with a deadline of their own, the earliest first: a binary heap that knows where each is, so that leaving is O(log n) too. */
export class DeadlineHeap<T extends Due> {
  readonly #items: T[] = [];

  /** The one whose deadline comes first. */
  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Does nothing if `item` is not here. */
  remove(item: T): void {
    const { terms } = item;
    if (terms === undefined || terms.index < 0) return;
    const { index } = terms;
    terms.index = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    const parent = this.#items[(index - 1) >> 1];
    if (index > 0 && parent !== undefined && deadlineOf(last) < deadlineOf(parent)) this.#rise(last, index);
    else this.#sink(last, index);
  }

  #rise(item: T, from: number): void {
    let index = from;
    const deadline = deadlineOf(item);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#items[above] as T;
      if (deadlineOf(parent) <= deadline) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(item, index);
  }

  #sink(item: T, from: number): void {
    let index = from;
    const deadline = deadlineOf(item);
    for (;;) {
      let below = 2 * index + 1;
      const left = this.#items[below];
      if (left === undefined) break;
      const right = this.#items[below + 1];
      const child = right !== undefined && deadlineOf(right) < deadlineOf(left) ? right : left;
      if (child === right) below++;
      if (deadlineOf(child) >= deadline) break;
      this.#put(child, index);
      index = below;
    }
    this.#put(item, index);
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    if (item.terms !== undefined) item.terms.index = index;
  }
}

function deadlineOf(item: Due): number {
  return item.terms?.deadline ?? Infinity;
}
