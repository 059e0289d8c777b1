/** What a sample counts for one sample later. */
const FADING = 0.9;
/** How much more, as a part of all requests, a larger share has to hit before it is chosen: noise must not move the window to and fro. */
const MARGIN = 0.015;
/** What counts as the same. Of shares that hit the same, the smallest is chosen: it has the least to lose. */
const SAME = 0.0003;

/** Chooses the share of the window by how often small caches with each of several shares hit. */
export class ShareChoice {
  readonly #hits: Float64Array;
  #requests = 0;
  #current: number;

  /** @param count how many shares there are to choose from, in ascending order; @param current the one to begin with */
  constructor(count: number, current: number) {
    this.#hits = new Float64Array(count);
    this.#current = current;
  }

  get current(): number {
    return this.#current;
  }

  /** Takes in a sample: how many `requests` there were, and how many of them hit with each share. */
  report(hits: Float64Array, requests: number): void {
    this.#requests = this.#requests * FADING + requests;
    for (let share = 0; share < hits.length; share++) {
      this.#hits[share] = (this.#hits[share] as number) * FADING + (hits[share] as number);
    }
    const most = Math.max(...this.#hits);
    const isBetter = most - (this.#hits[this.#current] as number) > MARGIN * this.#requests;
    const best = this.#hits.findIndex((each) => each >= most - SAME * this.#requests);
    if (isBetter || best < this.#current) this.#current = best;
  }
}
