/** A clock that moves only when it is told to. */
export class ManualClock {
  #now: number;

  constructor(start = 1_000) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** Moves time on by `ms`, never back. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time does not go back: advance(${ms})`);
    this.#now += ms;
  }
}
