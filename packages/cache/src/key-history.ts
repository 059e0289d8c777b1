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
    const first = this.#firstOf(hash);
    const fingerprint = hash & FINGERPRINT;
    const cells = this.#cells;
    for (let cell = first; cell < first + WAYS; cell++) {
      const found = cells[cell] as number;
      if (found >>> COUNT_BITS !== fingerprint || found === 0) continue;
      cells[cell] = 0;
      return found & COUNT;
    }
    return 0;
  }

  /** Remembers that the key with this hash was used `count` times, at most 15. */
  remember(hash: number, count: number): void {
    const first = this.#firstOf(hash);
    const cells = this.#cells;
    let moving = ((hash & FINGERPRINT) << COUNT_BITS) | Math.max(1, count);
    // The youngest in front; the others move back, up to the first gap or out of the set.
    for (let cell = first; cell < first + WAYS && moving !== 0; cell++) {
      const next = cells[cell] as number;
      cells[cell] = moving;
      moving = next;
    }
  }

  /** Halves every count, and forgets those who were used once, if it is time to. */
  age(forgets: boolean): void {
    const cells = this.#cells;
    for (let cell = 0; cell < cells.length; cell++) {
      const found = cells[cell] as number;
      if ((found & COUNT) > 1) cells[cell] = (found & ~COUNT) | ((found & COUNT) >> 1);
      else if (forgets) cells[cell] = 0;
    }
  }

  /** By the upper bits of the hash; the fingerprint is the lower ones. */
  #firstOf(hash: number): number {
    return Math.floor(((hash >>> 0) * this.#sets) / 2 ** 32) * WAYS;
  }
}
