import { type Timer, startTimer, systemClock } from '@perf/core';

/** What can stand among {@link Deadlines}. */
export interface Timed {
  /** In milliseconds of the system clock. */
  readonly deadline: number;
  /** Its place in the heap; -1 while it is not there. */
  place: number;
}

/** Tells when the time of an item is up: one timer for all of them, O(log n) to add one or to take one out. A binary heap. */
export class Deadlines<T extends Timed> {
  readonly #onExpired: (item: T) => void;
  readonly #heap: T[] = [];
  #timer: Timer | undefined = undefined;
  #wakesAt = Infinity;

  /** @param onExpired is told of each item whose time is up; it is not among them any more */
  constructor(onExpired: (item: T) => void) {
    this.#onExpired = onExpired;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(item: T): void {
    this.#heap.push(item);
    this.#up(item, this.#heap.length - 1);
    if (item.deadline < this.#wakesAt) this.#arm(item.deadline);
  }

  delete(item: T): void {
    const { place } = item;
    if (place === -1) return;
    item.place = -1;
    const last = this.#heap.pop() as T;
    if (last !== item) {
      this.#up(last, place);
      this.#down(last, last.place);
    }
    // An early timer does no harm, but one for nothing keeps the process alive.
    if (this.#heap.length === 0) this.#disarm();
  }

  /** Tells of everything whose time is up. */
  expire(): void {
    const now = systemClock.now();
    for (let first = this.#heap[0]; first !== undefined && first.deadline <= now; first = this.#heap[0]) {
      this.delete(first);
      this.#onExpired(first);
    }
  }

  #arm(at: number): void {
    this.#disarm();
    this.#wakesAt = at;
    const wait = Math.max(1, Math.ceil(at - systemClock.now()));
    this.#timer = startTimer(() => {
      this.#disarm();
      this.expire();
      const first = this.#heap[0];
      if (first !== undefined && first.deadline < this.#wakesAt) this.#arm(first.deadline);
    }, wait);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wakesAt = Infinity;
  }

  #up(item: T, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above] as T;
      if (parent.deadline <= item.deadline) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(item, place);
  }

  #down(item: T, from: number): void {
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      let child = this.#heap[below];
      if (child === undefined) break;
      const right = this.#heap[below + 1];
      if (right !== undefined && right.deadline < child.deadline) {
        child = right;
        below++;
      }
      if (item.deadline <= child.deadline) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(item, place);
  }

  #put(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}
