import { START_SIZE } from './throughput-sizer.ts';

/**
 * Bounds batches so that every slot has its part of what there is to do: a larger one would leave slots idle, for good when callers wait for
 * their answers before they add more, or at the end of a burst. What fits one batch of the size the search begins with is not split.
 *
 * While no less is pending than before, callers come again, and every slot should hold its part of all of them. When it gets less, what is under
 * way counts half, as that is on average half done: batches get smaller towards the end, so that all slots are done at about the
 * same time ("guided self-scheduling", Polychronopoulos and Kuck 1987).
 */
export class FairShare {
  readonly #slots: number;
  #pending = 0;
  #falling = false;

  /** @param slots how many batches run at once */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /** The most operations the next batch should hold, up to `size`. */
  limit(size: number, waiting: number, pending: number): number {
    if (pending !== this.#pending) this.#falling = pending < this.#pending;
    this.#pending = pending;
    if (this.#slots === Infinity || size <= START_SIZE) return size;
    const left = this.#falling ? (waiting + Math.max(waiting, pending)) / 2 : pending;
    return Math.min(size, Math.max(START_SIZE, Math.ceil(left / this.#slots)));
  }
}
