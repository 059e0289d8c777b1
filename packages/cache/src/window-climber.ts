const FIRST_SHARE = 0.01;
const FIRST_STEP = 0.0625;
const DECAY = 0.98;
const RESTART = 0.05;
const LARGEST_SHARE = 0.8;

/**
 * Finds the share of a cache that its admission window should have, by hill climbing on the hit ratio (Einziger, Eytan, Friedman & Manes, "Adaptive Software Cache Management", Middleware 2018):
 * keep going while the ratio rises, turn round when it falls, with ever smaller steps, and start over when the workload changes.
 */
export class WindowClimber {
  #share = FIRST_SHARE;
  #step = FIRST_STEP;
  #previous = 0;

  /** From 0 to 0.8. */
  get share(): number {
    return this.#share;
  }

  /** Reports the hit ratio of a sample that was taken with the current share, and moves. */
  climb(hitRatio: number): void {
    const change = hitRatio - this.#previous;
    this.#previous = hitRatio;
    const direction = change >= 0 ? this.#step : -this.#step;
    this.#step = Math.abs(change) >= RESTART ? FIRST_STEP * Math.sign(direction) : direction * DECAY;
    this.#share += direction;
    // Turned round at the ends, or a workload that gains nothing from a small step would be stuck there.
    if (this.#share <= 0) {
      this.#share = 0;
      this.#step = Math.abs(this.#step);
    } else if (this.#share >= LARGEST_SHARE) {
      this.#share = LARGEST_SHARE;
      this.#step = -Math.abs(this.#step);
    }
  }
}
