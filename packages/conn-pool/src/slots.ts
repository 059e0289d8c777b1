import type { Slot, SlotState } from './slot.ts';

/** All the slots of a pool, counted by state: the one place that knows how many of the `max` places are taken. */
export class Slots<C> implements Iterable<Slot<C>> {
  readonly #all = new Set<Slot<C>>();
  readonly #counts: Record<SlotState, number> = {
    creating: 0,
    abandoned: 0,
    idle: 0,
    validating: 0,
    lent: 0,
    resetting: 0,
    destroying: 0,
    gone: 0,
  };
  #retiring = 0;

  /** How many places are taken, by whatever. */
  get size(): number {
    return this.#all.size;
  }

  /** How many connections there are or are about to be: places that nothing is leaving. */
  get staying(): number {
    return this.#all.size - this.#counts.destroying - this.#counts.abandoned;
  }

  /** How many are old and wait to be given back or replaced. */
  get retiring(): number {
    return this.#retiring;
  }

  /** How many connections are here to stay, or about to be: what `min` is about. */
  get lasting(): number {
    const { creating, idle, validating, lent, resetting } = this.#counts;
    return creating + idle + validating + lent + resetting - this.#retiring;
  }

  /** How many are on the way to be free, without anybody giving one back. */
  get onTheWay(): number {
    return this.#counts.creating + this.#counts.validating + this.#counts.resetting;
  }

  /** How many leases are out. O(places). */
  get leases(): number {
    let leases = 0;
    for (const slot of this.#all) if (slot.state === 'lent') leases += slot.leases;
    return leases;
  }

  count(state: SlotState): number {
    return this.#counts[state];
  }

  add(slot: Slot<C>): void {
    this.#all.add(slot);
    this.#counts[slot.state]++;
  }

  move(slot: Slot<C>, state: SlotState): void {
    this.#counts[slot.state]--;
    this.#counts[state]++;
    slot.state = state;
  }

  /** Like `move(slot, 'lent')`, from where nearly all come from. A name that is known beforehand is cheaper than one that is not. */
  lend(slot: Slot<C>): void {
    if (slot.state === 'lent') return;
    if (slot.state !== 'idle') {
      this.move(slot, 'lent');
      return;
    }
    this.#counts.idle--;
    this.#counts.lent++;
    slot.state = 'lent';
  }

  /** Like `move(slot, 'idle')`, from where nearly all come from. */
  park(slot: Slot<C>): void {
    if (slot.state !== 'lent') {
      this.move(slot, 'idle');
      return;
    }
    this.#counts.lent--;
    this.#counts.idle++;
    slot.state = 'idle';
  }

  /** The connection is leaving: nothing lends it any more, but it takes its place until {@link Slots.remove}. */
  condemn(slot: Slot<C>): void {
    slot.generation++;
    if (slot.retiring) this.#retiring--;
    slot.retiring = false;
    this.move(slot, 'destroying');
  }

  retire(slot: Slot<C>): void {
    if (!slot.retiring) this.#retiring++;
    slot.retiring = true;
  }

  /** Frees the place. */
  remove(slot: Slot<C>): void {
    this.#counts[slot.state]--;
    slot.state = 'gone';
    this.#all.delete(slot);
  }

  [Symbol.iterator](): IterableIterator<Slot<C>> {
    return this.#all.values();
  }
}
