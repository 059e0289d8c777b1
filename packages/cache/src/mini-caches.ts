import { EntryQueues } from './entry-queues.ts';
import { ShareChoice } from './share-choice.ts';
import { SlotTable } from './slot-table.ts';

/** The shares that are tried. The first suits loops and scans, the last workloads where only what is recent counts. */
const SHARES = [0.01, 0.1, 0.3, 0.7, 1];

/** What a small cache may hold. */
export interface MiniLimits {
  readonly maxSize: number;
  readonly maxWeight: number;
}

/**
 * Finds out which share of a cache its window should have, by running a small cache with each share on a sample of the keys, without their values
 * (Waldspurger, Saemundsson, Ahmad & Park, "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC '17). That tells the
 * shares apart after about as many requests as the real cache has entries, where climbing needs many times that.
 */
export class MiniCaches {
  /** The share to begin with: a wrong one costs least where it is too small. */
  static readonly firstShare: number = SHARES[0] as number;
  readonly #limits: MiniLimits;
  /** Keys that are in one of the small caches at least, by their hashes, which stand for them; their ids are the slots. */
  readonly #table = new SlotTable<number, undefined>();
  readonly #ids = new Map<number, number>();
  readonly #caches: readonly EntryQueues[];
  readonly #choice: ShareChoice;
  readonly #hits = new Float64Array(SHARES.length);
  /** Which of the caches an id is in, a bit for each. */
  #heldBy = new Uint8Array(0);
  #requests = 0;

  /** @param share the share in use so far, one of those that are tried */
  constructor(limits: MiniLimits, share: number) {
    this.#limits = limits;
    this.#choice = new ShareChoice(SHARES.length, SHARES.indexOf(share));
    this.#caches = SHARES.map((share) => new EntryQueues(share));
  }

  /** The share that does best at present. */
  get share(): number {
    return SHARES[this.#choice.current] as number;
  }

  /** Asks every small cache for a key. @returns how many requests a sample had that ended with this one, 0 if none did */
  request(hash: number, weight: number): number {
    if (weight > this.#limits.maxWeight) return 0;
    const id = this.#ids.get(hash) ?? this.#allocate(hash, weight);
    for (let index = 0; index < this.#caches.length; index++) {
      if (((this.#heldBy[id] as number) & (1 << index)) === 0) this.#admit(id, index);
      else {
        this.#caches[index]?.use(id);
        this.#hits[index] = (this.#hits[index] as number) + 1;
      }
    }
    this.#requests++;
    // As many as a small cache has entries.
    return this.#requests >= Math.max(16, (this.#caches[0] as EntryQueues).length) ? this.#endSample() : 0;
  }

  #endSample(): number {
    const requests = this.#requests;
    this.#choice.report(this.#hits, requests);
    this.#hits.fill(0);
    this.#requests = 0;
    for (const cache of this.#caches) cache.age(requests);
    return requests;
  }

  #admit(id: number, index: number): void {
    const cache = this.#caches[index] as EntryQueues;
    const weight = this.#table.weightAt(id);
    const { maxSize, maxWeight } = this.#limits;
    while (cache.length > 0 && (cache.length >= maxSize || cache.weight + weight > maxWeight)) {
      this.#evict(cache, index, weight);
    }
    cache.weights = this.#table.weights;
    cache.add(id, this.#hashAt(id));
    this.#heldBy[id] = (this.#heldBy[id] as number) | (1 << index);
  }

  #evict(cache: EntryQueues, index: number, incoming: number): void {
    const id = cache.victim(incoming);
    const hash = this.#hashAt(id);
    cache.remove(id, hash);
    const others = (this.#heldBy[id] as number) & ~(1 << index);
    this.#heldBy[id] = others;
    if (others !== 0) return;
    this.#ids.delete(hash);
    this.#table.release(id);
  }

  #hashAt(id: number): number {
    return this.#table.keys[id] as number;
  }

  #allocate(hash: number, weight: number): number {
    const id = this.#table.allocate(hash, undefined, Infinity);
    if (this.#table.capacity > this.#heldBy.length) this.#grow(this.#table.capacity);
    this.#ids.set(hash, id);
    this.#table.setWeight(id, weight);
    return id;
  }

  #grow(capacity: number): void {
    const heldBy = new Uint8Array(capacity);
    heldBy.set(this.#heldBy);
    this.#heldBy = heldBy;
    for (const cache of this.#caches) cache.grow(capacity);
  }
}
