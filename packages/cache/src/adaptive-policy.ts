import type { EvictionPolicy } from './eviction-policy.ts';
import { FrequencySketch } from './frequency-sketch.ts';
import { hashKey } from './key-hash.ts';
import { SlotLinks, SlotList } from './slot-list.ts';
import { WindowClimber } from './window-climber.ts';

/** What is known about an entry, in one byte. */
const FREQUENCY = 0x0f;
const REFERENCED = 0x10;
const IN_MAIN = 0x20;

/** Shares are found out on samples of this many times the size. */
const SAMPLE_FACTOR = 4;
/** Frequencies are halved after this many times the size. */
const AGING_FACTOR = 10;

/**
 * W-TinyLFU (Einziger, Friedman & Manes, ACM ToS 2017) with lazy promotion. A new entry enters a small window. When room is needed, the oldest of the window
 * and the oldest of the main region compare how often they were used, and the less used one goes: a scan or a loop passes through the window and leaves the rest alone.
 * The window's share adapts to the workload.
 *
 * Both regions are queues with a second chance (CLOCK), so that a hit sets bits in one byte and moves nothing. An entry counts its own uses while it is
 * here; a sketch remembers the counts of those who left. Hits and hashes never meet.
 */
export class AdaptivePolicy<K> implements EvictionPolicy<K> {
  readonly #weightOf: (slot: number) => number;
  readonly #index = new Map<K, number>();
  readonly #links = new SlotLinks();
  readonly #window = new SlotList(this.#links);
  readonly #main = new SlotList(this.#links);
  readonly #seed: number = Math.trunc(Math.random() * 2 ** 32);
  #state = new Uint8Array(0);
  #hashes = new Int32Array(0);
  #history = new FrequencySketch(0);
  #climber = new WindowClimber();
  #hits = 0;
  #accesses = 0;
  #untilAging = 0;
  #weight = 0;
  #windowWeight = 0;

  constructor(weightOf: (slot: number) => number) {
    this.#weightOf = weightOf;
  }

  find(key: K): number {
    return this.#index.get(key) ?? -1;
  }

  use(key: K): number {
    const slot = this.#index.get(key);
    if (slot === undefined) return -1;
    const state = this.#state[slot] as number;
    this.#state[slot] = (state | REFERENCED) + ((state & FREQUENCY) < FREQUENCY ? 1 : 0);
    this.#hits++;
    this.#accesses++;
    return slot;
  }

  add(key: K, slot: number): void {
    const hash = hashKey(key, this.#seed);
    this.#index.set(key, slot);
    this.#hashes[slot] = hash;
    this.#state[slot] = Math.min(FREQUENCY, this.#history.estimate(hash) + 1);
    const weight = this.#weightOf(slot);
    this.#weight += weight;
    this.#windowWeight += weight;
    this.#window.push(slot);
    this.#accesses++;
    this.#adapt();
    // While the cache fills, or when the window has shrunk, the main region takes over what is too much.
    for (let moves = 0; moves < 2 && this.#window.length > 1 && this.#windowWeight > this.#windowLimit(); moves++) {
      this.#moveToMain(this.#oldest(this.#window));
    }
  }

  remove(key: K, slot: number): void {
    const state = this.#state[slot] as number;
    this.#index.delete(key);
    this.#history.remember(this.#hashes[slot] as number, state & FREQUENCY);
    this.#weight -= this.#weightOf(slot);
    if ((state & IN_MAIN) === 0) this.#leaveWindow(slot);
    else this.#main.remove(slot);
  }

  reweigh(slot: number, change: number): void {
    this.#weight += change;
    if (((this.#state[slot] as number) & IN_MAIN) === 0) this.#windowWeight += change;
  }

  victim(incoming: number): number {
    if (this.#main.length === 0) return this.#oldest(this.#window);
    // The newcomer goes into the window. While that stays within its share, it grows at the cost of the main region.
    const isWindowFull = this.#windowWeight + incoming > this.#windowLimit();
    if (this.#window.length === 0 || !isWindowFull) return this.#oldest(this.#main);
    const candidate = this.#oldest(this.#window);
    const incumbent = this.#oldest(this.#main);
    // The use that brought the candidate here does not count: the incumbent has had no chance to match it. Without this, a loop
    // larger than the cache replaces each entry just before its turn.
    if (this.#frequency(candidate) - 1 <= this.#frequency(incumbent)) return candidate;
    this.#moveToMain(candidate);
    return incumbent;
  }

  grow(capacity: number): void {
    this.#links.grow(capacity);
    const state = new Uint8Array(capacity);
    state.set(this.#state);
    this.#state = state;
    const hashes = new Int32Array(capacity);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    // Growing means that little was evicted so far: there is next to no history to lose.
    this.#history = new FrequencySketch(capacity);
  }

  resize(): void {
    // Everything here is relative to how many entries there are.
  }

  clear(): void {
    this.#index.clear();
    this.#window.clear();
    this.#main.clear();
    this.#links.clear();
    this.#state = new Uint8Array(0);
    this.#hashes = new Int32Array(0);
    this.#history = new FrequencySketch(0);
    this.#climber = new WindowClimber();
    this.#hits = this.#accesses = this.#untilAging = this.#weight = this.#windowWeight = 0;
  }

  /** In weight, so that what has to leave the window for a newcomer weighs as much as that. */
  #windowLimit(): number {
    return Math.max(this.#weight / this.#index.size, this.#weight * this.#climber.share);
  }

  #leaveWindow(slot: number): void {
    this.#window.remove(slot);
    // Sums of fractions drift: an empty window weighs nothing.
    this.#windowWeight = this.#window.length === 0 ? 0 : this.#windowWeight - this.#weightOf(slot);
  }

  #frequency(slot: number): number {
    return (this.#state[slot] as number) & FREQUENCY;
  }

  #moveToMain(slot: number): void {
    this.#leaveWindow(slot);
    this.#main.push(slot);
    this.#state[slot] = (this.#state[slot] as number) | IN_MAIN;
  }

  /** The slot at the end of the queue that was not used since it last came by. Ends, because each lap clears the bits it meets. */
  #oldest(queue: SlotList): number {
    for (;;) {
      const slot = queue.tail;
      const state = this.#state[slot] as number;
      if (slot < 0 || (state & REFERENCED) === 0) return slot;
      this.#state[slot] = state & ~REFERENCED;
      queue.remove(slot);
      queue.push(slot);
    }
  }

  /** At the end of a sample, lets the window's share follow the hit ratio; from time to time, lets frequencies fade. */
  #adapt(): void {
    if (this.#accesses < SAMPLE_FACTOR * Math.max(this.#index.size, 64)) return;
    this.#climber.climb(this.#hits / this.#accesses);
    this.#untilAging += this.#accesses;
    this.#hits = this.#accesses = 0;
    if (this.#untilAging < AGING_FACTOR * this.#index.size) return;
    this.#untilAging = 0;
    this.#history.age();
    for (let slot = 0; slot < this.#state.length; slot++) {
      const state = this.#state[slot] as number;
      this.#state[slot] = (state & ~FREQUENCY) | ((state & FREQUENCY) >> 1);
    }
  }
}
