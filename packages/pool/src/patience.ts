/**
 * Milliseconds a worker waits for the next task without letting its event loop turn. With less, each wait would have to set a timer of the machine,
 * which costs more than the task; this one is behind the kernel's own tick.
 */
const LINGER = 4;
/** Milliseconds of these it looks for it rather than sleep: to be woken takes longer, on both sides. */
const SPIN = 0.02;
/** Milliseconds after which it lets the event loop turn, whatever comes: timers and I/O of the tasks must go on. */
const LONGEST = 4;
/** How many times in a row it does not try what was in vain. */
const MOST_SKIPS = 64;

/** Something that is worth trying as long as it works: after it was in vain it is left out, for ever longer. */
class Habit {
  #skips = 0;
  #nextSkips = 1;

  /** Whether to try it now. */
  get isDue(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  learn(worked: boolean): void {
    if (worked) this.#nextSkips = 1;
    else {
      this.#skips = this.#nextSkips;
      this.#nextSkips = Math.min(MOST_SKIPS, this.#nextSkips * 2);
    }
  }
}

/**
 * Whether it is worth a worker's while to wait for the next task before it goes back to its event loop, and how. It is, as long as tasks come one by one and
 * fast; and to look for one instead of sleeping is, as long as there is a processor to spare.
 */
export class Patience {
  readonly #linger = new Habit();
  readonly #spin = new Habit();
  #turnedAt = 0;

  /** The event loop turned. */
  turn(now: number): void {
    this.#turnedAt = now;
  }

  /** Whether the event loop should turn before anything else. */
  isTired(now: number): boolean {
    return now - this.#turnedAt > LONGEST;
  }

  /** Whether to wait at all, after a frame of `tasks`. */
  waits(tasks: number, now: number): boolean {
    return tasks === 1 && !this.isTired(now) && this.#linger.isDue;
  }

  /** Waits: `look` tells whether the next task is there, `sleep` waits for it for some milliseconds and tells whether it came. */
  wait(look: () => boolean, sleep: (timeout: number) => boolean): void {
    if (this.#spin.isDue) {
      const came = spin(look);
      this.#spin.learn(came);
      if (came) {
        this.#linger.learn(true);
        return;
      }
    }
    this.#linger.learn(sleep(LINGER));
  }
}

function spin(look: () => boolean): boolean {
  const until = performance.now() + SPIN;
  do {
    if (look()) return true;
  } while (performance.now() < until);
  return false;
}
