import { LinkedQueue } from './linked-queue.ts';
import type { Shelf } from './shelf.ts';

/** How often what waits is passed over before it comes first: a flood of one group or priority must not starve the others. */
const PATIENCE = 8;

/** The shelves of one priority and one rank of `groupOrder`, in turn. */
interface Class<Op, R> {
  readonly priority: number;
  readonly rank: number;
  readonly shelves: LinkedQueue<Shelf<Op, R>>;
  passedOver: number;
}

/**
 * The shelves with something to send, and which of them is next: by priority, then by the rank of their group, then in turn; but what has been passed
 * over `PATIENCE` times comes first, whoever has been passed over most before the others. O(priorities and ranks in use) per batch, however many groups.
 */
export class ReadyShelves<Op, R> {
  /** Those with shelves, the first first. */
  readonly #classes: Class<Op, R>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(shelf: Shelf<Op, R>): void {
    if (shelf.ready) return;
    shelf.ready = true;
    const index = this.#indexOf(shelf);
    let found = this.#classes[index];
    if (found === undefined || found.priority !== shelf.priority || found.rank !== shelf.group.rank) {
      found = { priority: shelf.priority, rank: shelf.group.rank, shelves: new LinkedQueue(), passedOver: 0 };
      this.#classes.splice(index, 0, found);
    }
    found.shelves.push(shelf);
    this.#size++;
  }

  remove(shelf: Shelf<Op, R>): void {
    if (!shelf.ready) return;
    shelf.ready = false;
    this.#size--;
    const index = this.#indexOf(shelf);
    const { shelves } = this.#classes[index] as Class<Op, R>;
    shelves.remove(shelf);
    if (shelves.size === 0) this.#classes.splice(index, 1);
  }

  /** Takes out the shelf to send from. */
  next(): Shelf<Op, R> | undefined {
    const chosen = this.#choose();
    if (chosen === undefined) return undefined;
    for (const each of this.#classes) each.passedOver++;
    chosen.passedOver = 0;
    const shelf = chosen.shelves.head as Shelf<Op, R>;
    this.remove(shelf);
    return shelf;
  }

  #choose(): Class<Op, R> | undefined {
    let chosen = this.#classes[0];
    let most = PATIENCE - 1;
    for (const each of this.#classes) {
      if (each.passedOver <= most) continue;
      most = each.passedOver;
      chosen = each;
    }
    return chosen;
  }

  /** Where the class of a shelf is, or belongs. */
  #indexOf({ priority, group }: Shelf<Op, R>): number {
    let low = 0;
    let high = this.#classes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = this.#classes[middle] as Class<Op, R>;
      if (at.priority > priority || (at.priority === priority && at.rank < group.rank)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
