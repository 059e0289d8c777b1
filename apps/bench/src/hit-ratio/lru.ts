import { LinkedKeys } from './linked-keys.ts';
import type { Simulator } from './simulator.ts';

/** Least recently used. With weights, it holds as many as weigh `capacity` together. */
export class Lru implements Simulator {
  readonly #capacity: number;
  readonly #weights: Uint32Array | undefined;
  readonly #order: LinkedKeys;
  readonly #held: Uint8Array;
  #weight = 0;

  constructor(capacity: number, distinct: number, weights?: Uint32Array) {
    this.#capacity = capacity;
    this.#weights = weights;
    this.#order = new LinkedKeys(distinct);
    this.#held = new Uint8Array(distinct);
  }

  request(key: number): boolean {
    if (this.#held[key] === 1) {
      this.#order.renew(key);
      return true;
    }
    const weight = this.#weightOf(key);
    if (weight > this.#capacity) return false;
    while (this.#weight + weight > this.#capacity) this.#evict();
    this.#order.add(key);
    this.#held[key] = 1;
    this.#weight += weight;
    return false;
  }

  #evict(): void {
    const key = this.#order.oldest;
    this.#order.remove(key);
    this.#held[key] = 0;
    this.#weight -= this.#weightOf(key);
  }

  #weightOf(key: number): number {
    return this.#weights === undefined ? 1 : (this.#weights[key] as number);
  }
}
