import { type Clock, systemClock } from '@perf/core';

/** A deadline this many milliseconds after the last reading of the clock is not there yet, without a look at the clock. */
const HORIZON = 60_000;
/** A reading is used for this many milliseconds at most, unless the event loop is blocked, */
const LIFETIME = 1_000;
/** and this many times. */
const USES = 100;

/** Fake timers put others in their place. */
const realNow: unknown = Reflect.get(performance, 'now');
const { setTimeout: startRealTimer } = globalThis;

/** What a cache asks about time. */
export interface TimeSource {
  now(): number;
  /** Whether `deadline` has passed, or is exactly now. */
  isOver(deadline: number): boolean;
}

/**
 * The process's monotonic clock, which spares most looks at it: reading it costs more than finding an entry, and most entries have minutes to live. A deadline
 * more than a minute away from a reading that is at most a second old has not passed. Nearer deadlines are always compared with the clock itself.
 *
 * A blocked event loop keeps the timer from ending a reading after its second. So the answer is wrong if, and only if, the event loop does not turn for
 * more than 59 seconds in which the reading is used less than a hundred times, and the deadline was more than a minute away when they began.
 */
class RecentTime implements TimeSource {
  #reading = 0;
  #usesLeft = 0;
  /** Whether a timer is going to end the reading. */
  #isEnding = false;

  isOver(deadline: number): boolean {
    if (this.#usesLeft > 0 && deadline - this.#reading > HORIZON) {
      this.#usesLeft--;
      return false;
    }
    return deadline <= this.now();
  }

  now(): number {
    const now = systemClock.now();
    // Time that somebody else moves may leap: then every question needs a look.
    if (performance.now === realNow) this.#keep(now);
    else this.#usesLeft = 0;
    return now;
  }

  #keep(now: number): void {
    this.#reading = now;
    this.#usesLeft = USES;
    if (this.#isEnding) return;
    this.#isEnding = true;
    startRealTimer(() => this.#forget(), LIFETIME).unref();
  }

  #forget(): void {
    this.#isEnding = false;
    this.#usesLeft = 0;
  }
}

/** A clock that somebody gave: always asked. */
class GivenTime implements TimeSource {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  isOver(deadline: number): boolean {
    return deadline <= this.#clock.now();
  }
}

const recentTime = /*@__PURE__*/ new RecentTime();

export function timeSourceOf(clock: Clock): TimeSource {
  return clock === systemClock ? recentTime : new GivenTime(clock);
}
