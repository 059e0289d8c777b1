import { AdaptivePolicy } from './adaptive-policy.ts';
import type { EvictionPolicy } from './eviction-policy.ts';
import { ExpiryTimer } from './expiry-timer.ts';
import { ExpiryWheel } from './expiry-wheel.ts';
import { LruPolicy } from './lru-policy.ts';
import type { RemovalReason, ResolvedMemoryOptions } from './memory-options.ts';
import { type TimeSource, timeSourceOf } from './recent-time.ts';
import type { RemovalQueue } from './removal-queue.ts';
import { SlotTable } from './slot-table.ts';

/** How long and at what weight a value is kept. */
export interface Terms {
  readonly ttl: number;
  readonly weight: number;
}

/**
 * The entries of a {@link MemoryCache}, within their limits at any time: a table of slots, the policy that chooses who goes, and the
 * wheel and timer that find what has expired. No user code runs in here, but for the listener of removals at the end of a sweep.
 */
export class Entries<K, V> {
  readonly #time: TimeSource;
  readonly #slidingTtl: number;
  readonly #maxWeight: number;
  readonly #table: SlotTable<K, V>;
  /** One of the two is the policy; `get` tells them apart by itself, because a call that could go to either is slower. */
  readonly #adaptive: AdaptivePolicy<K> | undefined;
  readonly #policy: EvictionPolicy<K>;
  readonly #removals: RemovalQueue<K, V>;
  readonly #timer = new ExpiryTimer(() => this.#sweep());
  /** Absent until an entry is to expire. */
  #wheel: ExpiryWheel | undefined;
  /** When an entry ends however much it is used; only with a `slidingTtl`. */
  readonly #ends: number[] = [];
  #capacity = 0;
  #maxSize: number;
  #size = 0;
  #weight = 0;

  constructor(options: ResolvedMemoryOptions<K, V>, removals: RemovalQueue<K, V>) {
    this.#time = timeSourceOf(options.clock);
    this.#slidingTtl = options.slidingTtl;
    this.#maxSize = options.maxSize;
    this.#maxWeight = options.maxWeight;
    this.#table = new SlotTable();
    this.#adaptive = options.eviction === 'adaptive' ? new AdaptivePolicy(this.#table, options) : undefined;
    this.#policy = this.#adaptive ?? new LruPolicy(options.maxSize);
    this.#removals = removals;
    this.#fitCapacity();
  }

  get size(): number {
    return this.#size;
  }

  get weight(): number {
    return this.#weight;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  /** The slot of an entry that has not expired, or -1; leaves no trace. */
  find(key: K): number {
    const slot = this.#policy.find(key);
    return slot >= 0 && this.#isLive(slot) ? slot : -1;
  }

  /** The slot of an entry that has not expired, or -1. A use: it counts for the policy and prolongs a sliding life. */
  use(key: K): number {
    const slot = this.#adaptive === undefined ? this.#policy.use(key) : this.#adaptive.use(key);
    if (slot < 0 || this.#table.deadlines === undefined) return slot;
    return this.#useInTime(slot, this.#table.deadlines);
  }

  keyAt(slot: number): K {
    return this.#table.keys[slot] as K;
  }

  valueAt(slot: number): V {
    return this.#table.values[slot] as V;
  }

  /** Keeps `value`, making room first; reports it as evicted when it is too heavy to keep. */
  put(key: K, value: V, terms: Terms): void {
    const slot = this.#adaptive?.isMissing(key) === true ? -1 : this.#policy.use(key);
    if (slot >= 0 && this.#replace(slot, value, terms)) return;
    if (terms.weight > this.#maxWeight) {
      this.#removals.push(key, value, 'evict');
      return;
    }
    while (this.#size >= this.#maxSize || this.#weight + terms.weight > this.#maxWeight) {
      if (!this.#evict(terms.weight)) break;
    }
    const fresh = this.#table.allocate(key, value, this.#maxSize);
    this.#fitCapacity();
    this.#table.setWeight(fresh, terms.weight);
    this.#policy.add(key, fresh);
    this.#size++;
    this.#weight += terms.weight;
    this.#date(fresh, terms.ttl);
  }

  /** @returns whether there was an entry that had not expired */
  delete(key: K): boolean {
    const slot = this.#policy.find(key);
    if (slot < 0) return false;
    const live = this.#isLive(slot);
    this.#remove(slot, live ? 'delete' : 'expire');
    return live;
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    while (this.#size > maxSize && this.#evict(0)) continue;
    this.#policy.resize(maxSize);
  }

  /** Removes every expired entry. @returns how many */
  purge(): number {
    const { deadlines, end } = this.#table;
    if (deadlines === undefined) return 0;
    const now = this.#time.now();
    const before = this.#size;
    for (let slot = 0; slot < end; slot++) {
      if (this.#table.isTaken(slot) && (deadlines[slot] as number) <= now) this.#remove(slot, 'expire');
    }
    return before - this.#size;
  }

  /** Removes everything and stops the timer. */
  clear(): void {
    for (let slot = 0; slot < this.#table.end; slot++) {
      if (!this.#table.isTaken(slot)) continue;
      this.#removals.push(this.keyAt(slot), this.valueAt(slot), 'clear');
    }
    this.#policy.clear();
    this.#table.clear();
    this.#wheel = undefined;
    this.#timer.stop();
    this.#size = this.#weight = this.#capacity = 0;
    this.#ends.length = 0;
    this.#fitCapacity();
  }

  /** The slots of the entries that have not expired. Entries may come and go meanwhile; ends even if some come for ever. */
  *slots(): Generator<number, undefined> {
    const { end } = this.#table;
    for (let slot = 0; slot < end; slot++) if (this.#table.isTaken(slot) && this.#isLive(slot)) yield slot;
  }

  #isLive(slot: number): boolean {
    const deadline = this.#table.deadlineAt(slot);
    return deadline === Infinity || !this.#time.isOver(deadline);
  }

  #useInTime(slot: number, deadlines: Float64Array): number {
    const deadline = deadlines[slot] as number;
    if (deadline === Infinity) return slot;
    if (this.#time.isOver(deadline)) {
      this.#remove(slot, 'expire');
      return -1;
    }
    if (this.#slidingTtl !== Infinity) {
      // The wheel need not know: it looks at the deadline when the bucket is due.
      deadlines[slot] = Math.min(this.#ends[slot] as number, this.#time.now() + this.#slidingTtl);
    }
    return slot;
  }

  /** Puts another value in the place of the old one, or takes the old one out: then the new one is to come in as if the key were unknown. */
  #replace(slot: number, value: V, terms: Terms): boolean {
    const key = this.keyAt(slot);
    const old = this.valueAt(slot);
    const reason = this.#isLive(slot) ? 'set' : 'expire';
    const same = Object.is(old, value);
    const growth = terms.weight - this.#table.weightAt(slot);
    const fits = growth <= 0 || this.#weight + growth <= this.#maxWeight;
    if (!fits) {
      this.#forget(slot);
    } else {
      this.#table.values[slot] = value;
      if (growth !== 0) this.#reweigh(slot, growth);
      this.#date(slot, terms.ttl);
    }
    if (!same) this.#removals.push(key, old, reason);
    return fits;
  }

  #reweigh(slot: number, growth: number): void {
    this.#table.setWeight(slot, this.#table.weightAt(slot) + growth);
    this.#weight += growth;
    this.#policy.reweigh(slot, growth);
  }

  #evict(incoming: number): boolean {
    const slot = this.#policy.victim(incoming);
    if (slot < 0) return false;
    this.#remove(slot, this.#isLive(slot) ? 'evict' : 'expire');
    return true;
  }

  #remove(slot: number, reason: RemovalReason): void {
    const key = this.keyAt(slot);
    const value = this.valueAt(slot);
    this.#forget(slot);
    this.#removals.push(key, value, reason);
  }

  #forget(slot: number): void {
    const weight = this.#table.weightAt(slot);
    this.#policy.remove(this.keyAt(slot), slot);
    this.#wheel?.remove(slot);
    this.#size--;
    // Sums of fractions drift: nothing weighs nothing.
    this.#weight = this.#size === 0 ? 0 : this.#weight - weight;
    this.#table.release(slot);
  }

  /** Sets when the entry expires. */
  #date(slot: number, ttl: number): void {
    if (ttl === Infinity && this.#slidingTtl === Infinity) {
      this.#table.setDeadline(slot, Infinity);
      this.#wheel?.remove(slot);
      return;
    }
    const now = this.#time.now();
    const deadline = now + Math.min(ttl, this.#slidingTtl);
    this.#table.setDeadline(slot, deadline);
    if (this.#slidingTtl !== Infinity) this.#ends[slot] = now + ttl;
    this.#wheel ??= this.#newWheel(now);
    this.#timer.arm(this.#wheel.schedule(slot, deadline, now), now);
  }

  #newWheel(now: number): ExpiryWheel {
    const wheel = new ExpiryWheel(now);
    wheel.grow(this.#capacity);
    return wheel;
  }

  #sweep(): void {
    const wheel = this.#wheel;
    if (wheel === undefined || this.#table.deadlines === undefined) return;
    const now = this.#time.now();
    wheel.advance(now, this.#table.deadlines, (slot) => this.#remove(slot, 'expire'));
    this.#timer.arm(wheel.nextDue(), now);
    this.#removals.flush();
  }

  #fitCapacity(): void {
    if (this.#capacity === this.#table.capacity) return;
    this.#capacity = this.#table.capacity;
    this.#policy.grow(this.#capacity);
    this.#wheel?.grow(this.#capacity);
  }
}
