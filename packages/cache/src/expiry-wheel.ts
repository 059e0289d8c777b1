/** The width of the finest buckets, in milliseconds. */
const TICK = 128;
const BUCKETS = 64;
const LEVELS = 5;
const NONE = -1;

/**
 * Finds expired slots without looking at the others: a hierarchical timer wheel (Varghese & Lauck, SOSP '87). Level 0 has 64 buckets of 128 ms, each
 * level above has buckets 64 times as wide (8 s, 9 min, 9 h, 25 days); an entry moves down as its time comes near. Scheduling is O(1).
 *
 * Deadlines may move later without a word to the wheel: it asks for the present one when the bucket is due.
 */
export class ExpiryWheel {
  readonly #heads = new Int32Array(LEVELS * BUCKETS).fill(NONE);
  #next = new Int32Array(0);
  /** The slot before; for the first of a bucket which bucket that is, as {@link asLink} writes it; -1 for a slot in none. */
  #previous = new Int32Array(0);
  #tick: number;
  #size = 0;

  constructor(now: number) {
    this.#tick = Math.floor(now / TICK);
  }

  grow(capacity: number): void {
    const next = new Int32Array(capacity);
    next.set(this.#next);
    const previous = new Int32Array(capacity).fill(NONE);
    previous.set(this.#previous);
    this.#next = next;
    this.#previous = previous;
  }

  /**
   * Puts `slot` where its finite deadline belongs.
   *
   * @returns when that bucket is due
   */
  schedule(slot: number, deadline: number, now: number): number {
    this.remove(slot);
    if (this.#size === 0) this.#tick = Math.floor(now / TICK);
    const tick = Math.max(Math.ceil(deadline / TICK), this.#tick + 1);
    const ahead = tick - this.#tick;
    let level = 0;
    let width = 1;
    while (level < LEVELS - 1 && ahead >= width * BUCKETS) {
      level++;
      width *= BUCKETS;
    }
    // Beyond the last level: its farthest bucket, to be looked at again when that is due.
    const reachable = Math.floor(Math.min(tick, this.#tick + width * BUCKETS - 1) / width);
    this.#link(slot, level * BUCKETS + (reachable % BUCKETS));
    return reachable * width * TICK;
  }

  remove(slot: number): void {
    if (this.#previous[slot] !== NONE) this.#unlink(slot);
  }

  /** When {@link ExpiryWheel.advance} has something to do next, `Infinity` for never. */
  nextDue(): number {
    if (this.#size === 0) return Infinity;
    let due = Infinity;
    for (let level = 0, width = 1; level < LEVELS; level++, width *= BUCKETS) {
      const current = Math.floor(this.#tick / width);
      for (let ahead = 1; ahead <= BUCKETS; ahead++) {
        if (this.#heads[level * BUCKETS + ((current + ahead) % BUCKETS)] === NONE) continue;
        due = Math.min(due, (current + ahead) * width * TICK);
        break;
      }
    }
    return due;
  }

  /** Moves on to `now` and calls `expire` for each slot whose deadline has passed. */
  advance(now: number, deadlines: Float64Array, expire: (slot: number) => void): void {
    const before = this.#tick;
    const tick = Math.floor(now / TICK);
    if (tick <= before) return;
    this.#tick = tick;
    const due: number[] = [];
    for (let level = 0, width = 1; level < LEVELS; level++, width *= BUCKETS) {
      const from = Math.floor(before / width);
      const steps = Math.min(BUCKETS, Math.floor(tick / width) - from);
      for (let step = 1; step <= steps; step++) this.#empty(level * BUCKETS + ((from + step) % BUCKETS), due);
    }
    const expired: number[] = [];
    for (const slot of due) {
      const deadline = deadlines[slot] as number;
      if (deadline <= now) expired.push(slot);
      else this.schedule(slot, deadline, now);
    }
    for (const slot of expired) expire(slot);
  }

  #empty(bucket: number, into: number[]): void {
    for (let slot = this.#heads[bucket] as number; slot !== NONE; slot = this.#heads[bucket] as number) {
      this.#unlink(slot);
      into.push(slot);
    }
  }

  #link(slot: number, bucket: number): void {
    const head = this.#heads[bucket] as number;
    this.#next[slot] = head;
    this.#previous[slot] = asLink(bucket);
    if (head !== NONE) this.#previous[head] = slot;
    this.#heads[bucket] = slot;
    this.#size++;
  }

  #unlink(slot: number): void {
    const after = this.#next[slot] as number;
    const before = this.#previous[slot] as number;
    if (before < NONE) this.#heads[asLink(before)] = after;
    else this.#next[before] = after;
    if (after !== NONE) this.#previous[after] = before;
    this.#previous[slot] = NONE;
    this.#size--;
  }
}

/** A bucket in the place of a slot, below -1; and back again. */
function asLink(bucket: number): number {
  return -2 - bucket;
}
