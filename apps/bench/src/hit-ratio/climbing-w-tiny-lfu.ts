import type { Simulator } from './simulator.ts';
import { WTinyLfu } from './w-tiny-lfu.ts';

const SAMPLE = 4;
const FIRST_STEP = 0.0625;
const DECAY = 0.98;
const RESTART = 0.05;

/** W-TinyLFU whose window climbs towards the better hit ratio (Einziger, Eytan, Friedman & Manes, "Adaptive Software Cache Management", Middleware 2018). */
export class ClimbingWTinyLfu implements Simulator {
  readonly #capacity: number;
  readonly #cache: WTinyLfu;
  #requests = 0;
  #hits = 0;
  #previous = 0;
  #step: number;

  constructor(capacity: number, distinct: number) {
    this.#capacity = capacity;
    this.#cache = new WTinyLfu(capacity, distinct);
    this.#step = FIRST_STEP * capacity;
  }

  request(key: number): boolean {
    const hit = this.#cache.request(key);
    if (hit) this.#hits++;
    if (++this.#requests >= SAMPLE * this.#capacity) this.#climb();
    return hit;
  }

  #climb(): void {
    const ratio = this.#hits / this.#requests;
    const change = ratio - this.#previous;
    this.#previous = ratio;
    this.#requests = this.#hits = 0;
    const move = change >= 0 ? this.#step : -this.#step;
    this.#step = Math.abs(change) >= RESTART ? FIRST_STEP * this.#capacity * Math.sign(move) : move * DECAY;
    this.#cache.resizeWindow(this.#cache.windowLimit + move);
  }
}
