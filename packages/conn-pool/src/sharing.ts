import { LinkedList } from './linked-list.ts';
import type { Settings } from './options.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';

/** The lent connections that have room for one more lease, where a connection serves several at once. */
export class Sharing<C> {
  readonly #limit: number;
  readonly #maxUses: number;
  readonly #packs: boolean;
  /** Those with room, in the order they got it. */
  readonly #open = new LinkedList<Slot<C>>();

  constructor(settings: Pick<Settings<unknown>, 'maxLeasesPerConnection' | 'maxUses' | 'order'>) {
    this.#limit = settings.maxLeasesPerConnection;
    this.#maxUses = settings.maxUses;
    this.#packs = settings.order === 'lifo';
  }

  /**
   * The connection to serve one more: the same until it is full, so that the others get idle and go (`'lifo'`, O(1)), or the one with the fewest
   * leases (`'fifo'`, O(connections)).
   */
  pick(): Slot<C> | undefined {
    let best: Slot<C> | undefined;
    for (const slot of this.#open) {
      // Its time is over, which nobody tells this list.
      if (slot.lost || slot.retiring || slot.uses + slot.leases >= this.#maxUses) this.#shut(slot);
      else if (best === undefined || slot.leases < best.leases) best = slot;
      if (best !== undefined && this.#packs) break;
    }
    return best;
  }

  /** The number of leases of `slot`, which is lent, has changed. */
  update(slot: Slot<C>): void {
    const isOpen = slot.leases > 0 && slot.leases < this.#limit;
    if (isOpen === slot.hasRoom) return;
    if (!isOpen) {
      this.#shut(slot);
      return;
    }
    slot.hasRoom = true;
    this.#open.push(slot);
  }

  /**
   * There may be no more than `max` connections from now on. One that always has a lease would never be given back: those with the fewest get
   * no more.
   */
  shed(slots: Slots<C>, max: number): void {
    const lent = [...slots].filter((slot) => slot.state === 'lent' && !slot.lost);
    const excess = Math.max(0, slots.staying - this.leaving(slots) - max);
    for (const slot of lent.toSorted((a, b) => a.leases - b.leases).slice(0, excess)) slot.lost = true;
  }

  /** How many lent connections get no more leases. O(connections). */
  leaving(slots: Slots<C>): number {
    let leaving = 0;
    for (const slot of slots) if (slot.state === 'lent' && slot.lost) leaving++;
    return leaving;
  }

  #shut(slot: Slot<C>): void {
    slot.hasRoom = false;
    this.#open.remove(slot);
  }
}
