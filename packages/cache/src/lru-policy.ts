import QuickLRU from 'quick-lru';
import type { EvictionPolicy } from './eviction-policy.ts';

/**
 * Least recently used, on quick-lru: two generations of a Map, where a use moves an entry from the old one to the young one. What goes first is the
 * oldest of the old generation. An entry that is used again while it is young is only marked, and gets a second chance when its turn comes: the order
 * among such entries is that of their earlier use.
 *
 * quick-lru by itself drops a whole generation at a time and holds up to twice its size. Here single victims are taken before that happens,
 * and `#young` counts along to know when the generations are about to turn.
 */
export class LruPolicy<K> implements EvictionPolicy<K> {
  #lru: QuickLRU<K, number>;
  #maxSize: number;
  /** The generation in which a slot was last moved to the young entries. */
  #stamps = new Uint32Array(0);
  /** 1 for a slot that was used while it was young. */
  #marks = new Uint8Array(0);
  #generation = 1;
  #young = 0;
  #total = 0;
  #oldestFirst: IterableIterator<[K, number]> | undefined;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
    this.#lru = new QuickLRU({ maxSize });
  }

  find(key: K): number {
    return this.#lru.peek(key) ?? -1;
  }

  use(key: K): number {
    const slot = this.#lru.peek(key);
    if (slot === undefined) return -1;
    if (this.#stamps[slot] !== this.#generation) this.#beforeYoung();
    if (this.#stamps[slot] === this.#generation) {
      this.#marks[slot] = 1;
    } else {
      this.#lru.get(key);
      this.#afterYoung(slot);
    }
    return slot;
  }

  add(key: K, slot: number): void {
    this.#total++;
    this.#beforeYoung();
    this.#lru.set(key, slot);
    this.#afterYoung(slot);
  }

  remove(key: K, slot: number): void {
    this.#lru.delete(key);
    this.#total--;
    if (this.#stamps[slot] === this.#generation) this.#young--;
  }

  victim(): number {
    if (this.#total === 0) return -1;
    // Every entry is young: a new generation starts, and what was young keeps its order as the old one.
    if (this.#young === this.#total) this.#makeAllOld();
    for (;;) {
      this.#oldestFirst ??= this.#lru.entriesAscending();
      const oldest = this.#oldestFirst.next();
      if (oldest.done === true) {
        this.#oldestFirst = undefined;
        continue;
      }
      const [key, slot] = oldest.value;
      if (this.#marks[slot] === 0) return slot;
      // As if it were new: the mark goes, so this ends after one lap.
      this.remove(key, slot);
      this.add(key, slot);
    }
  }

  reweigh(): void {
    // Only the order of use counts.
  }

  grow(capacity: number): void {
    const stamps = new Uint32Array(capacity);
    stamps.set(this.#stamps);
    this.#stamps = stamps;
    const marks = new Uint8Array(capacity);
    marks.set(this.#marks);
    this.#marks = marks;
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#makeAllYoung();
  }

  clear(): void {
    this.#lru = new QuickLRU({ maxSize: this.#maxSize });
    this.#stamps = new Uint32Array(0);
    this.#marks = new Uint8Array(0);
    this.#generation = 1;
    this.#young = this.#total = 0;
    this.#oldestFirst = undefined;
  }

  /** One more entry is about to be young. When that fills the generation, quick-lru drops what is old: there must be nothing. */
  #beforeYoung(): void {
    if (this.#young + 1 >= this.#lru.maxSize && this.#young + 1 < this.#total) this.#makeAllYoung();
  }

  #afterYoung(slot: number): void {
    this.#stamps[slot] = this.#generation;
    this.#marks[slot] = 0;
    this.#young++;
    if (this.#young < this.#lru.maxSize) return;
    this.#turn();
  }

  #turn(): void {
    this.#generation++;
    this.#young = 0;
    this.#oldestFirst = undefined;
  }

  // quick-lru's `resize` keeps the order, and makes everything old when it fits exactly, young when there is room to spare.

  #makeAllOld(): void {
    this.#lru.resize(this.#total);
    this.#turn();
  }

  #makeAllYoung(): void {
    this.#turn();
    this.#lru.resize(Math.max(this.#maxSize, this.#total + 1));
    for (const slot of this.#lru.values()) {
      this.#stamps[slot] = this.#generation;
      this.#young++;
    }
  }
}
