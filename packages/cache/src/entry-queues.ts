import { KeyHistory } from './key-history.ts';
import { SlotLinks, SlotList } from './slot-list.ts';

/** What is known about an entry, in one byte. */
const FREQUENCY = 0x0f;
const REFERENCED = 0x10;
const IN_MAIN = 0x20;
const SAMPLED = 0x40;
/** Of an entry with these bits another use changes nothing, and nobody has to hear of it: it stays, whatever the share. */
const SATURATED = REFERENCED | FREQUENCY;

/** Frequencies are halved after this many times as many requests as there are entries; hits of those that are used all the time do not count. */
const AGING = 4;
/** How many of the keys that are gone are remembered: three for each entry, but one for each in a large cache, where bytes count. */
const REMEMBERED = 3;
const LARGE_HISTORY = 2 ** 18;
/** With how many entries of the main region a heavy candidate is compared at most. */
const MOST_COMPARED = 64;
/** By how much of the whole the window may be too large before it is made smaller. */
const SLACK = 1 / 16;

/**
 * W-TinyLFU (Einziger, Friedman & Manes, ACM ToS 2017) with lazy promotion. A new entry enters a window. When room is needed, the oldest of the window
 * and the oldest of the main region compare how often they were used, and the less used one goes: a scan or a loop passes through a small window and leaves the rest alone.
 *
 * Both regions are queues with a second chance (CLOCK), so that a hit sets bits in one byte and moves nothing. An entry counts its own uses while it is
 * here; a history remembers the counts of those who left.
 */
export class EntryQueues {
  /** The share of the weight that the window may have, above 0 and up to 1. */
  share: number;
  /** What the slots weigh: the owner's array, 1 each when there is none. */
  weights: Float64Array | undefined;
  readonly #links = new SlotLinks();
  readonly #window = new SlotList(this.#links);
  readonly #main = new SlotList(this.#links);
  #states = new Uint8Array(0);
  #history: KeyHistory | undefined;
  #remembered = 0;
  /** Whether the last aging was one that forgets single uses. */
  #forgets = false;
  #requests = 0;
  #weight = 0;
  #windowWeight = 0;

  constructor(share: number) {
    this.share = share;
  }

  get length(): number {
    return this.#window.length + this.#main.length;
  }

  get weight(): number {
    return this.#weight;
  }

  /** An entry was used. @returns whether it is marked as sampled */
  use(slot: number): boolean {
    const state = this.#states[slot] as number;
    if ((state & SATURATED) === SATURATED) return false;
    this.#states[slot] = (state | REFERENCED) + ((state & FREQUENCY) < FREQUENCY ? 1 : 0);
    return (state & SAMPLED) !== 0;
  }

  /** Marks an entry, so that {@link EntryQueues.use} says so. */
  sample(slot: number): void {
    this.#states[slot] = (this.#states[slot] as number) | SAMPLED;
  }

  unsampleAll(): void {
    for (let slot = 0; slot < this.#states.length; slot++) {
      this.#states[slot] = (this.#states[slot] as number) & ~SAMPLED;
    }
  }

  /** The slots, in the order in which they came in, those of the main region first. */
  *slots(): Generator<number, undefined> {
    yield* this.#main.slots();
    yield* this.#window.slots();
  }

  add(slot: number, hash: number): void {
    const past = this.#history === undefined ? 0 : this.#history.take(hash);
    this.#states[slot] = Math.min(FREQUENCY, past + 1);
    const weight = this.#weightOf(slot);
    this.#weight += weight;
    this.#windowWeight += weight;
    this.#window.push(slot);
    this.#shrinkWindow();
  }

  remove(slot: number, hash: number): void {
    const state = this.#states[slot] as number;
    // Only what did not fit gets a history: a cache that never fills does without.
    this.#history?.remember(hash, state & FREQUENCY);
    this.#weight -= this.#weightOf(slot);
    if ((state & IN_MAIN) === 0) this.#leaveWindow(slot);
    else this.#main.remove(slot);
    // Sums of fractions drift: nothing weighs nothing.
    if (this.length === 0) this.#weight = 0;
  }

  reweigh(slot: number, change: number): void {
    this.#weight += change;
    if (((this.#states[slot] as number) & IN_MAIN) === 0) this.#windowWeight += change;
  }

  /** The slot that should go next to make room for an entry of weight `incoming`, -1 when there is none. */
  victim(incoming: number): number {
    if (this.#remembered < this.length) this.#startHistory();
    if (this.#main.length === 0) return this.#oldest(this.#window);
    // The newcomer goes into the window. While that stays within its share, it grows at the cost of the main region.
    if (this.#window.length === 0 || !this.#isWindowOver(this.#windowWeight + incoming))
      return this.#oldest(this.#main);
    const candidate = this.#oldest(this.#window);
    const incumbent = this.#oldest(this.#main);
    if (!this.#isBetter(candidate, incumbent)) return candidate;
    this.#moveToMain(candidate);
    return incumbent;
  }

  /**
   * Takes note of `requests` more requests: from time to time all counts are halved, so that old popularity fades. A single use counts for one period more, for those who are
   * here and for those who are gone alike: otherwise, in a loop, those who come back would look more used than those who stayed.
   */
  age(requests: number): void {
    this.#requests += requests;
    if (this.#requests < AGING * this.length) return;
    this.#requests = 0;
    this.#forgets = !this.#forgets;
    this.#history?.age(this.#forgets);
    const states = this.#states;
    for (let slot = 0; slot < states.length; slot++) {
      const state = states[slot] as number;
      const frequency = state & FREQUENCY;
      if (frequency > 1) states[slot] = (state & ~FREQUENCY) | (frequency >> 1);
      else if (this.#forgets) states[slot] = state & ~FREQUENCY;
    }
  }

  grow(capacity: number): void {
    this.#links.grow(capacity);
    const states = new Uint8Array(capacity);
    states.set(this.#states);
    this.#states = states;
  }

  clear(): void {
    this.#window.clear();
    this.#main.clear();
    this.#links.clear();
    this.#states = new Uint8Array(0);
    this.#history = undefined;
    this.#remembered = this.#requests = this.#weight = this.#windowWeight = 0;
  }

  /** Room for what is about to leave. What was remembered is lost when the cache has grown well beyond it; little has left then. */
  #startHistory(): void {
    // Not for each entry more that lighter ones make room for.
    this.#remembered = this.#history === undefined ? this.length : Math.ceil(this.length * 1.25);
    this.#history = new KeyHistory(Math.max(this.#remembered, Math.min(REMEMBERED * this.#remembered, LARGE_HISTORY)));
  }

  /**
   * The main region takes over what is too much for the window, without a contest: all of it while the cache fills, later only what is far too much because the share has become smaller.
   * A heavy entry that went leaves room for many light ones, which must not come into the main region by that.
   */
  #shrinkWindow(): void {
    const slack = this.#history === undefined ? 0 : this.#weight * SLACK;
    for (let moves = 0; moves < 2 && this.#window.length > 1; moves++) {
      if (!this.#isWindowOver(this.#windowWeight - slack)) return;
      this.#moveToMain(this.#oldest(this.#window));
    }
  }

  /** Whether that is more than the window's share, and more than one entry. In weight, so that what has to leave the window for a newcomer weighs as much as that. */
  #isWindowOver(weight: number): boolean {
    return weight > this.#weight * this.share && weight * this.length > this.#weight;
  }

  /** Whether a candidate was used more often than those who have to go for it: several, where it is heavier than the first of them. */
  #isBetter(candidate: number, incumbent: number): boolean {
    // The use that brought the candidate here does not count: the incumbents have had no chance to match it. Without this, a loop
    // larger than the cache replaces each entry just before its turn.
    let uses = this.#frequency(candidate) - 1;
    let weight = this.#weightOf(candidate);
    for (let slot = incumbent, compared = 0; slot >= 0 && compared < MOST_COMPARED; compared++) {
      uses -= this.#frequency(slot);
      weight -= this.#weightOf(slot);
      if (uses <= 0 || weight <= 0) break;
      slot = this.#main.newer(slot);
    }
    return uses > 0;
  }

  #leaveWindow(slot: number): void {
    this.#window.remove(slot);
    this.#windowWeight = this.#window.length === 0 ? 0 : this.#windowWeight - this.#weightOf(slot);
  }

  #frequency(slot: number): number {
    return (this.#states[slot] as number) & FREQUENCY;
  }

  #moveToMain(slot: number): void {
    this.#leaveWindow(slot);
    this.#main.push(slot);
    this.#states[slot] = (this.#states[slot] as number) | IN_MAIN;
  }

  /** The slot at the end of the queue that was not used since it last came by. Ends, because each lap clears the bits it meets. */
  #oldest(queue: SlotList): number {
    for (;;) {
      const slot = queue.tail;
      const state = this.#states[slot] as number;
      if (slot < 0 || (state & REFERENCED) === 0) return slot;
      this.#states[slot] = state & ~REFERENCED;
      queue.remove(slot);
      queue.push(slot);
    }
  }

  #weightOf(slot: number): number {
    const { weights } = this;
    return weights === undefined ? 1 : (weights[slot] as number);
  }
}
