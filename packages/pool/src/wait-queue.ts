/** Milliseconds of waiting that one point of priority is worth. */
const AGING = 1_000;

/** The place of something that waits in a {@link WaitQueue}. */
export class Waiting {
  /** When it would have come if its priority were 0: the one with the least goes first. */
  rank = 0;
  /** Breaks ties: equal priorities leave in the order they came. */
  order = 0;
  /** Its index in the heap; -1 while it waits nowhere. */
  index = -1;
}

/**
 * A priority queue without starvation: one point of priority is worth one second of waiting, so that whatever arrives more than
 * a second per point after an entry never overtakes it. Equal priorities are first in, first out.
 *
 * A binary heap over ranks that never change, with each entry knowing its index: `push`, `shift` and `remove` are O(log n), and a push
 * in order of arrival is O(1).
 */
export class WaitQueue<T extends Waiting> {
  readonly #heap: T[] = [];
  #order = 0;

  /** How many wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** The one to go next. */
  peek(): T | undefined {
    return this.#heap[0];
  }

  /** @param now milliseconds, monotonic */
  push(entry: T, priority: number, now: number): void {
    entry.rank = now - priority * AGING;
    entry.order = this.#order++;
    this.#rise(entry, this.#heap.length);
  }

  /** Puts an entry back where it was before it left: ahead of everything that came later. */
  restore(entry: T): void {
    this.#rise(entry, this.#heap.length);
  }

  shift(): T | undefined {
    const first = this.#heap[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes an entry out wherever it is; does nothing when it is not here. */
  remove(entry: T): void {
    const { index } = entry;
    if (index === -1) return;
    entry.index = -1;
    const last = this.#heap.pop() as T;
    if (last === entry) return;
    this.#rise(last, index);
    this.#sink(last, last.index);
  }

  #rise(entry: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex] as T;
      if (!isBefore(entry, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(entry, index);
  }

  #sink(entry: T, from: number): void {
    let index = from;
    for (;;) {
      const leftIndex = 2 * index + 1;
      const left = this.#heap[leftIndex];
      if (left === undefined) break;
      const right = this.#heap[leftIndex + 1];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, entry)) break;
      const childIndex = child.index;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(entry, index);
  }

  #place(entry: T, index: number): void {
    this.#heap[index] = entry;
    entry.index = index;
  }
}

function isBefore(one: Waiting, other: Waiting): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.order < other.order);
}
