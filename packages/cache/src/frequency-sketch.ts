const COUNTERS_PER_KEY = 8;
const BLOCK = 64;
const MAX_COUNT = 15;

/**
 * How often keys that are gone were used, roughly: a count-min sketch of small counters (Cormode & Muthukrishnan, 2005), used as a history
 * in the manner of TinyLFU (Einziger, Friedman & Manes, ACM ToS 2017). The four counters of a key share one cache line.
 *
 * It can only overestimate, when keys collide.
 */
export class FrequencySketch {
  readonly #counters: Uint8Array;
  readonly #words: Uint32Array;
  readonly #blockMask: number;

  /** @param capacity about how many keys to remember; 8 bytes each */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(capacity * COUNTERS_PER_KEY, BLOCK)));
    this.#counters = new Uint8Array(size);
    this.#words = new Uint32Array(this.#counters.buffer);
    this.#blockMask = size / BLOCK - 1;
  }

  /** The remembered count of the key with this hash, 0 to 15. */
  estimate(hash: number): number {
    if (hash === 0) return 0;
    const block = ((hash >>> 16) ^ hash) & this.#blockMask;
    let least = MAX_COUNT;
    for (let row = 0; row < 4; row++) {
      const count = this.#counters[indexOf(block, hash, row)] as number;
      if (count < least) least = count;
    }
    return least;
  }

  /** Remembers `count` uses of the key with this hash. */
  remember(hash: number, count: number): void {
    if (hash === 0) return;
    const block = ((hash >>> 16) ^ hash) & this.#blockMask;
    for (let row = 0; row < 4; row++) {
      const index = indexOf(block, hash, row);
      if ((this.#counters[index] as number) < count) this.#counters[index] = count;
    }
  }

  /** Halves every count, so that old popularity fades. */
  age(): void {
    for (let index = 0; index < this.#words.length; index++) {
      this.#words[index] = ((this.#words[index] as number) >>> 1) & 0x07070707;
    }
  }
}

/** Each row has a quarter of the block. */
function indexOf(block: number, hash: number, row: number): number {
  const spread = Math.imul(hash, 0x9e3779b1 + 2 * row);
  return block * BLOCK + row * (BLOCK / 4) + (spread >>> 28);
}
