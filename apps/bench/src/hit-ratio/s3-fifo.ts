import { LinkedKeys } from './linked-keys.ts';
import type { Simulator } from './simulator.ts';

const ABSENT = 0;
const SMALL = 1;
const MAIN = 2;
const MAX_USES = 3;

/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue & Rashmi, SOSP '23): a small queue of a tenth, a main queue with second chances, and a ghost queue as long as the main one.
 * What was used at least twice in the small queue goes to the main one, and so does what comes back while it is a ghost.
 */
export class S3Fifo implements Simulator {
  readonly #capacity: number;
  readonly #smallLimit: number;
  readonly #weights: Uint32Array | undefined;
  readonly #small: LinkedKeys;
  readonly #main: LinkedKeys;
  readonly #ghosts: LinkedKeys;
  readonly #where: Uint8Array;
  readonly #uses: Uint8Array;
  readonly #isGhost: Uint8Array;
  #smallWeight = 0;
  #mainWeight = 0;
  #ghostWeight = 0;

  constructor(capacity: number, distinct: number, weights?: Uint32Array) {
    this.#capacity = capacity;
    this.#smallLimit = Math.max(1, Math.floor(capacity / 10));
    this.#weights = weights;
    this.#small = new LinkedKeys(distinct);
    this.#main = new LinkedKeys(distinct);
    this.#ghosts = new LinkedKeys(distinct);
    this.#where = new Uint8Array(distinct);
    this.#uses = new Uint8Array(distinct);
    this.#isGhost = new Uint8Array(distinct);
  }

  request(key: number): boolean {
    if (this.#where[key] !== ABSENT) {
      this.#uses[key] = Math.min(MAX_USES, (this.#uses[key] as number) + 1);
      return true;
    }
    const weight = this.#weightOf(key);
    if (weight > this.#capacity) return false;
    const returns = this.#isGhost[key] === 1;
    if (returns) this.#forget(key);
    while (this.#smallWeight + this.#mainWeight + weight > this.#capacity) this.#evict();
    this.#uses[key] = 0;
    if (returns) this.#addToMain(key);
    else this.#addToSmall(key);
    return false;
  }

  #evict(): void {
    if (this.#smallWeight > this.#smallLimit || this.#main.size === 0) this.#evictFromSmall();
    else this.#evictFromMain();
  }

  #evictFromSmall(): void {
    const key = this.#small.oldest;
    this.#small.remove(key);
    this.#smallWeight -= this.#weightOf(key);
    if ((this.#uses[key] as number) > 1) {
      this.#uses[key] = 0;
      this.#addToMain(key);
    } else {
      this.#where[key] = ABSENT;
      this.#remember(key);
    }
  }

  #evictFromMain(): void {
    for (;;) {
      const key = this.#main.oldest;
      const uses = this.#uses[key] as number;
      if (uses === 0) {
        this.#main.remove(key);
        this.#mainWeight -= this.#weightOf(key);
        this.#where[key] = ABSENT;
        return;
      }
      this.#uses[key] = uses - 1;
      this.#main.renew(key);
    }
  }

  #addToSmall(key: number): void {
    this.#small.add(key);
    this.#smallWeight += this.#weightOf(key);
    this.#where[key] = SMALL;
  }

  #addToMain(key: number): void {
    this.#main.add(key);
    this.#mainWeight += this.#weightOf(key);
    this.#where[key] = MAIN;
  }

  #remember(key: number): void {
    this.#ghosts.add(key);
    this.#isGhost[key] = 1;
    this.#ghostWeight += this.#weightOf(key);
    while (this.#ghostWeight > this.#capacity - this.#smallLimit) this.#forget(this.#ghosts.oldest);
  }

  #forget(key: number): void {
    this.#ghosts.remove(key);
    this.#isGhost[key] = 0;
    this.#ghostWeight -= this.#weightOf(key);
  }

  #weightOf(key: number): number {
    return this.#weights === undefined ? 1 : (this.#weights[key] as number);
  }
}
