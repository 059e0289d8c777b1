import { START_SIZE } from './throughput-sizer.ts';

/** While it is not known what a call costs, one of so many of the smallest batches is halved, to find out. */
const TRY_EVERY = 4;

/** How much of the batches under way is still to do when a slot gets free, roughly: they began at about the same time as the one that ended. */
const LEFT = 0.25;

/**
 * Bounds batches so that every slot has its part of what there is to do: a larger one would leave slots idle, for good when callers wait for
 * their answers before they add more, or at the end of a burst.
 *
 * While no less is pending than before, callers come again, and every slot should hold its part of all of them. When it gets less, what is under
 * way counts as mostly done: batches get smaller towards the end, so that all slots are done at about the same time ("guided
 * self-scheduling", Polychronopoulos and Kuck 1987).
 */
export class FairShare {
  readonly #slots: number;
  #pending = 0;
  #falling = false;
  #tries = 0;

  /** @param slots how many batches run at once */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /**
   * The most operations the next batch should hold, up to `size`.
   *
   * @param worthIt the least that is worth a call of its own: what is no more is not split
   */
  limit(
    size: number,
    load: { readonly waiting: number; readonly pending: number },
    worthIt: number | undefined,
  ): number {
    const { waiting, pending } = load;
    if (pending !== this.#pending) this.#falling = pending < this.#pending;
    this.#pending = pending;
    if (this.#slots === Infinity) return size;
    const left = this.#falling ? waiting + LEFT * Math.max(0, pending - waiting) : pending;
    const share = Math.ceil(left / this.#slots);
    const least = Math.min(worthIt ?? START_SIZE, START_SIZE);
    const asks = worthIt === undefined && share < START_SIZE && waiting >= START_SIZE && size >= START_SIZE;
    if (asks && ++this.#tries % TRY_EVERY === 0) return START_SIZE / 2;
    return Math.min(size, Math.max(least, share));
  }
}
