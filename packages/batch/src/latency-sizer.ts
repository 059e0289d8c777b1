import type { SizedBatch, Sizer } from './sizer.ts';

/** Small enough for most targets, and two doublings from where most settle. */
const START = 32;

/**
 * Keeps the latency of batches near a target: full ones below it let the size grow by 5 %, ones above it cut it by 10 % (additive or slow
 * increase, multiplicative decrease: Chiu and Jain 1989; for batches, Crankshaw and others, "Clipper", NSDI 2017).
 *
 * It counts rounds rather than windows of samples: batches under way together say the same thing, so only one sent under the present limit
 * lets it grow, and each cuts it to 10 % below its own limit, no further. A step down being two up, it settles where one round of three
 * has a batch above the target: noise is averaged by going on, and an outlier costs 10 % for two rounds.
 */
export class LatencySizer implements Sizer {
  readonly #target: number;
  readonly #cap: number;
  #size: number;
  /** Until the target has come into sight the size doubles. */
  #starting = true;

  constructor(target: number, cap: number) {
    this.#target = target;
    this.#cap = cap;
    this.#size = Math.min(START, cap);
  }

  get size(): number {
    return this.#size;
  }

  limitFor(): number {
    return this.#size;
  }

  record({ limit, size, latency, outcome }: SizedBatch): void {
    if (outcome === 'failed') return;
    if (outcome !== 'answered' || latency > this.#target) {
      this.#starting = false;
      // What holds less than the limit would have been slower yet if full.
      const cut = Math.max(1, Math.min(limit - 1, Math.floor(limit * 0.9)));
      this.#size = Math.min(this.#size, cut);
    } else if (size >= limit && limit === this.#size) {
      if (this.#starting && latency * 2 > this.#target) this.#starting = false;
      const step = this.#starting ? this.#size : Math.max(1, Math.round(this.#size * 0.05));
      this.#size = Math.min(this.#cap, this.#size + step);
    }
  }
}
