import { EntryQueues } from './entry-queues.ts';
import type { EvictionPolicy } from './eviction-policy.ts';
import { hashKey } from './key-hash.ts';
import { MiniCaches } from './mini-caches.ts';
import type { SlotTable } from './slot-table.ts';

/** About how many entries a small cache has, up to twice that: few enough to cost little, enough to tell shares apart. */
const MINI_SIZE = 256;
/** How many requests for sampled keys are told to the small caches at a time: one by one, each would find their memory cold. */
const BATCH = 64;
/** The bits of a hash that decide whether its key is sampled: neither those that find it in a history, nor its fingerprint there. */
const SAMPLE_SHIFT = 12;

/** In the place of a key: nobody else has it. */
const NONE: unique symbol = Symbol('none');

/** What the cache may hold. */
interface Limits {
  readonly maxSize: number;
  readonly maxWeight: number;
}

/**
 * W-TinyLFU whose window adapts to the workload: {@link EntryQueues} decide who goes, and {@link MiniCaches} find out which share the window should have.
 *
 * A hit looks the key up, and sets bits in one byte. Hashes, lists and the small caches are only touched on a miss, and the small caches only with a sample of the keys.
 */
export class AdaptivePolicy<K> implements EvictionPolicy<K> {
  readonly #table: SlotTable<K, unknown>;
  readonly #maxWeight: number;
  readonly #index = new Map<K, number>();
  readonly #queues: EntryQueues;
  /** Differs from cache to cache, so that nobody can prepare keys that collide. */
  readonly #seed: number = Math.trunc(Math.random() * 2 ** 32);
  /** The key that was looked for last and not found: what is missed is set next, more often than not. */
  #missing: K | typeof NONE = NONE;
  /** Requests for sampled keys that the small caches have not heard of: hash and weight by turns. */
  #batch: number[] = [];
  #maxSize: number;
  #minis: MiniCaches | undefined;
  /** One key in 2^#rate is sampled: those whose hash has none of the bits of the mask. */
  #rate = 0;
  #mask = 0;

  constructor(table: SlotTable<K, unknown>, limits: Limits) {
    this.#table = table;
    this.#maxSize = limits.maxSize;
    this.#maxWeight = limits.maxWeight;
    this.#queues = new EntryQueues(MiniCaches.firstShare);
  }

  find(key: K): number {
    const slot = this.#index.get(key);
    return slot === undefined ? -1 : slot;
  }

  use(key: K): number {
    const slot = this.#index.get(key);
    if (slot === undefined) {
      this.#missing = key;
      return -1;
    }
    if (this.#queues.use(slot)) this.#tellMinis(hashKey(key, this.#seed), slot);
    return slot;
  }

  /** Whether it is certain, without a look, that `key` is not here. */
  isMissing(key: K): boolean {
    return key === this.#missing;
  }

  add(key: K, slot: number): void {
    const hash = hashKey(key, this.#seed);
    this.#index.set(key, slot);
    this.#missing = NONE;
    this.#queues.weights = this.#table.weights;
    this.#queues.add(slot, hash);
    if (this.#minis === undefined || !this.#isSampled(hash)) return;
    this.#queues.sample(slot);
    this.#tellMinis(hash, slot);
  }

  remove(key: K, slot: number): void {
    this.#index.delete(key);
    this.#queues.remove(slot, hashKey(key, this.#seed));
  }

  reweigh(slot: number, change: number): void {
    this.#queues.weights = this.#table.weights;
    this.#queues.reweigh(slot, change);
  }

  victim(incoming: number): number {
    // Until something has to go there is nothing to find out.
    if (this.#minis === undefined) this.#startMinis();
    return this.#queues.victim(incoming);
  }

  grow(capacity: number): void {
    this.#queues.grow(capacity);
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#batch = [];
    this.#minis = undefined;
  }

  clear(): void {
    this.#index.clear();
    this.#missing = NONE;
    this.#queues.clear();
    this.#queues.share = MiniCaches.firstShare;
    this.#batch = [];
    this.#minis = undefined;
  }

  /** Small caches for as many entries as there are now, with those of them that are sampled. */
  #startMinis(): void {
    this.#rate = this.#idealRate();
    this.#mask = (2 ** this.#rate - 1) << SAMPLE_SHIFT;
    const limits = { maxSize: this.#scaled(this.#maxSize), maxWeight: this.#scaled(this.#maxWeight) };
    const minis = new MiniCaches(limits, this.#queues.share);
    this.#queues.unsampleAll();
    this.#batch = [];
    for (const slot of this.#queues.slots()) {
      const hash = hashKey(this.#table.keys[slot], this.#seed);
      if (!this.#isSampled(hash)) continue;
      this.#queues.sample(slot);
      minis.request(hash, this.#table.weightAt(slot));
    }
    this.#minis = minis;
  }

  #tellMinis(hash: number, slot: number): void {
    if (this.#batch.push(hash, this.#table.weightAt(slot)) === 2 * BATCH) this.#tellBatch();
  }

  #tellBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (let index = 0; index < batch.length && this.#minis !== undefined; index += 2) {
      const requests = this.#minis.request(batch[index] as number, batch[index + 1] as number);
      if (requests > 0) this.#endSample(this.#minis, requests);
    }
  }

  #endSample(minis: MiniCaches, requests: number): void {
    this.#queues.share = minis.share;
    this.#queues.age(requests * 2 ** this.#rate);
    // Where weight is the limit, the number of entries may come to be quite another one: the next victim starts them anew.
    if (Math.abs(this.#idealRate() - this.#rate) > 1) this.#minis = undefined;
  }

  #idealRate(): number {
    return Math.max(0, Math.floor(Math.log2(Math.max(1, this.#queues.length) / MINI_SIZE)));
  }

  #scaled(limit: number): number {
    return Math.max(1, limit / 2 ** this.#rate);
  }

  #isSampled(hash: number): boolean {
    return (hash & this.#mask) === 0;
  }
}
