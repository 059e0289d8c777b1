const WAYS = 4;
const COUNT = 0x0f;
const COUNT_BITS = 4;
const FINGERPRINT = 0x0fff;

/**
 * How often keys that are gone were used while they were here. A set-associative table of fingerprints: 2 bytes for each key, of which 4 bits are the count;
 * in each set of four, the key that left longest ago is forgotten first. Like the ghost queue of S3-FIFO (Yang et al., SOSP '23), but it counts.
 */
export class KeyHistory {
  readonly #cells: Uint16Array;
  readonly #sets: number;

  /** @param capacity how many keys to remember */
  constructor(capacity: number) {
    this.#sets = Math.max(1, Math.ceil(capacity / WAYS));
    this.#cells = new Uint16Array(this.#sets * WAYS);
  }

  /** The remembered count of the key with this hash, 1 to 15, and 0 when there is none. It is forgotten: the key is here again. */
  take(hash: number): number {
    if (hash === 0) return 0;
    const first = this.#firstOf(hash);
    const fingerprint = hash & FINGERPRINT;
    const cells = this.#cells;
    for (let cell = first; cell < first + WAYS; cell++) {
      const found = cells[cell] as number;
      if (found === 0) return 0;
      if (found >>> COUNT_BITS !== fingerprint) continue;
      this.#forget(cell, first + WAYS - 1);
      return found & COUNT;
    }
    return 0;
  }

  /** Remembers that the key with this hash was used `count` times, at most 15. */
  remember(hash: number, count: number): void {
    if (hash === 0) return;
    const first = this.#firstOf(hash);
    const cells = this.#cells;
    for (let cell = first + WAYS - 1; cell > first; cell--) cells[cell] = cells[cell - 1] as number;
    cells[first] = ((hash & FINGERPRINT) << COUNT_BITS) | Math.max(1, count);
  }

  /** Halves every count, but forgets nobody. */
  age(): void {
    for (let cell = 0; cell < this.#cells.length; cell++) {
      const found = this.#cells[cell] as number;
      if ((found & COUNT) > 1) this.#cells[cell] = (found & ~COUNT) | ((found & COUNT) >> 1);
    }
  }

  /** The younger ones stay in front: those behind it move up. */
  #forget(cell: number, last: number): void {
    const cells = this.#cells;
    for (let at = cell; at < last; at++) cells[at] = cells[at + 1] as number;
    cells[last] = 0;
  }

  /** By the upper bits of the hash; the fingerprint is the lower ones. */
  #firstOf(hash: number): number {
    return Math.floor(((hash >>> 0) * this.#sets) / 2 ** 32) * WAYS;
  }
}
