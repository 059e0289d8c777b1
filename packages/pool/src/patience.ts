/** Milliseconds a worker waits for the next task without letting its event loop turn. */
const LINGER = 0.5;
/** Milliseconds after which it lets the event loop turn, whatever comes: timers and I/O of the tasks must go on. */
const LONGEST = 4;
/** How many times it does not wait after it did so in vain. */
const MOST_SKIPS = 64;

/**
 * Whether it is worth a worker's while to wait for the next task before it goes back to its event loop. It is, as long as tasks come one by one and fast;
 * after it waited in vain it does not, for ever longer.
 */
export class Patience {
  #turnedAt = 0;
  #skips = 0;
  #nextSkips = 1;

  /** The event loop turned. */
  turn(now: number): void {
    this.#turnedAt = now;
  }

  /** Whether the event loop should turn before anything else. */
  isTired(now: number): boolean {
    return now - this.#turnedAt > LONGEST;
  }

  /** Milliseconds to wait now, after a frame of `tasks`; 0 for not at all. */
  timeout(tasks: number, now: number): number {
    if (tasks > 1 || this.isTired(now)) return 0;
    if (this.#skips === 0) return LINGER;
    this.#skips--;
    return 0;
  }

  /** It waited: did anything come? */
  learn(came: boolean): void {
    if (came) this.#nextSkips = 1;
    else {
      this.#skips = this.#nextSkips;
      this.#nextSkips = Math.min(MOST_SKIPS, this.#nextSkips * 2);
    }
  }
}
