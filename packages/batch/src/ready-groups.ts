import type { Group } from './group.ts';
import { LinkedQueue } from './linked-queue.ts';

/** How often a rank that waits is passed over before it comes first: a flood of one group must not starve the others. */
const PATIENCE = 8;

/** The groups with something to send, and which of them is next: by rank, within a rank in turn. O(ranks) per batch, however many groups. */
export class ReadyGroups<Op, R> {
  readonly #ranks: LinkedQueue<Group<Op, R>>[] = [];
  readonly #passedOver: number[] = [];
  #size = 0;

  /** @param ranks how many ranks there are */
  constructor(ranks: number) {
    for (let rank = 0; rank < ranks; rank++) {
      this.#ranks.push(new LinkedQueue());
      this.#passedOver.push(0);
    }
  }

  get size(): number {
    return this.#size;
  }

  add(group: Group<Op, R>): void {
    if (group.ready) return;
    group.ready = true;
    this.#ranks[group.rank]?.push(group);
    this.#size++;
  }

  remove(group: Group<Op, R>): void {
    if (!group.ready) return;
    group.ready = false;
    this.#ranks[group.rank]?.remove(group);
    this.#size--;
  }

  /** Takes out the group to send from. */
  next(): Group<Op, R> | undefined {
    const chosen = this.#choose();
    for (const [rank, queue] of this.#ranks.entries()) {
      const waits = queue.size > 0 && rank !== chosen;
      this.#passedOver[rank] = waits ? (this.#passedOver[rank] ?? 0) + 1 : 0;
    }
    const group = this.#ranks[chosen]?.head;
    if (group !== undefined) this.remove(group);
    return group;
  }

  #choose(): number {
    let chosen = -1;
    let longest = PATIENCE - 1;
    for (const [rank, queue] of this.#ranks.entries()) {
      if (queue.size === 0) continue;
      const passed = this.#passedOver[rank] ?? 0;
      if (passed > longest) {
        longest = passed;
        chosen = rank;
      }
      if (chosen === -1) chosen = rank;
    }
    return chosen;
  }
}
