import { CountMinSketch } from './count-min-sketch.ts';
import { LinkedKeys } from './linked-keys.ts';
import type { Simulator } from './simulator.ts';

const ABSENT = 0;
const WINDOW = 1;
const PROBATION = 2;
const PROTECTED = 3;

/** Of the main region, the part for what was used again there. */
const PROTECTED_SHARE = 0.8;

/**
 * W-TinyLFU (Einziger, Friedman & Manes, ACM ToS 2017): an LRU window, and a main region of segmented LRU that what leaves the window enters only if it was
 * used more often than what would have to go.
 */
export class WTinyLfu implements Simulator {
  readonly #capacity: number;
  readonly #sketch: CountMinSketch;
  readonly #window: LinkedKeys;
  readonly #probation: LinkedKeys;
  readonly #protected: LinkedKeys;
  readonly #where: Uint8Array;
  #windowLimit: number;

  constructor(capacity: number, distinct: number) {
    this.#capacity = capacity;
    this.#sketch = new CountMinSketch(capacity);
    this.#window = new LinkedKeys(distinct);
    this.#probation = new LinkedKeys(distinct);
    this.#protected = new LinkedKeys(distinct);
    this.#where = new Uint8Array(distinct);
    this.#windowLimit = Math.max(1, Math.round(capacity * 0.01));
  }

  get windowLimit(): number {
    return this.#windowLimit;
  }

  request(key: number): boolean {
    this.#sketch.count(key);
    const where = this.#where[key];
    if (where === WINDOW) this.#window.renew(key);
    else if (where === PROTECTED) this.#protected.renew(key);
    else if (where === PROBATION) this.#promote(key);
    else this.#admit(key);
    return where !== ABSENT;
  }

  /** Gives the window another size, and moves entries over until it has it. */
  resizeWindow(limit: number): void {
    this.#windowLimit = Math.min(this.#capacity - 1, Math.max(1, Math.round(limit)));
    this.#demote();
    while (this.#window.size > this.#windowLimit) {
      const key = this.#window.oldest;
      this.#window.remove(key);
      this.#keep(key, PROBATION);
    }
    while (this.#window.size < this.#windowLimit && this.#probation.size > 0) {
      const key = this.#probation.oldest;
      this.#probation.remove(key);
      this.#keep(key, WINDOW);
    }
  }

  #admit(key: number): void {
    this.#keep(key, WINDOW);
    if (this.#window.size <= this.#windowLimit) return;
    const candidate = this.#window.oldest;
    this.#window.remove(candidate);
    if (this.#window.size + this.#probation.size + this.#protected.size < this.#capacity) {
      this.#keep(candidate, PROBATION);
      return;
    }
    const from = this.#probation.size > 0 ? this.#probation : this.#protected;
    const victim = from.oldest;
    // There is none where the window is all there is.
    if (victim >= 0 && this.#sketch.frequency(candidate) > this.#sketch.frequency(victim)) {
      from.remove(victim);
      this.#where[victim] = ABSENT;
      this.#keep(candidate, PROBATION);
    } else {
      this.#where[candidate] = ABSENT;
    }
  }

  #promote(key: number): void {
    this.#probation.remove(key);
    this.#keep(key, PROTECTED);
    this.#demote();
  }

  #demote(): void {
    const limit = (this.#capacity - this.#windowLimit) * PROTECTED_SHARE;
    while (this.#protected.size > limit) {
      const key = this.#protected.oldest;
      this.#protected.remove(key);
      this.#keep(key, PROBATION);
    }
  }

  #keep(key: number, where: number): void {
    this.#where[key] = where;
    if (where === WINDOW) this.#window.add(key);
    else if (where === PROBATION) this.#probation.add(key);
    else this.#protected.add(key);
  }
}
