const ROWS = 4;
const MAX_COUNT = 15;
const SEEDS = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f];

/**
 * How often keys were used lately: a count-min sketch of 4-bit counters, all of which are halved after ten uses for each of its `capacity` keys
 * (TinyLFU: Einziger, Friedman & Manes, ACM ToS 2017).
 */
export class CountMinSketch {
  readonly #counters: Uint8Array;
  readonly #rowMask: number;
  readonly #period: number;
  #uses = 0;

  constructor(capacity: number) {
    const row = 2 ** Math.ceil(Math.log2(Math.max(4 * capacity, 16)));
    this.#counters = new Uint8Array(ROWS * row);
    this.#rowMask = row - 1;
    this.#period = 10 * capacity;
  }

  frequency(key: number): number {
    let least = MAX_COUNT;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counters[this.#indexOf(key, row)] as number);
    return least;
  }

  count(key: number): void {
    let added = false;
    for (let row = 0; row < ROWS; row++) {
      const index = this.#indexOf(key, row);
      const count = this.#counters[index] as number;
      if (count === MAX_COUNT) continue;
      this.#counters[index] = count + 1;
      added = true;
    }
    if (added && ++this.#uses >= this.#period) this.#halve();
  }

  #halve(): void {
    for (let index = 0; index < this.#counters.length; index++) {
      this.#counters[index] = (this.#counters[index] as number) >>> 1;
    }
    this.#uses >>>= 1;
  }

  #indexOf(key: number, row: number): number {
    let hash = Math.imul(key + 1, SEEDS[row] as number);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash ^= hash >>> 13;
    return row * (this.#rowMask + 1) + (hash & this.#rowMask);
  }
}
