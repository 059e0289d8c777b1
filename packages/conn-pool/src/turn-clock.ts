import type { Clock } from '@perf/core';

/** So many times a turn it is worth to ask the clock, which costs about as much as half an acquire. */
const EXACT_PER_TURN = 8;

/**
 * The time for things that happen many times in a turn of the event loop. The first ones of a turn get it exactly, the others when the turn
 * ends: a thing that is over by then never needs it.
 */
export class TurnClock {
  readonly #clock: Clock;
  readonly #onLook: ((now: number) => void)[] = [];
  readonly #endTurn = (): void => {
    this.#turn = undefined;
    this.look();
  };
  #exact = EXACT_PER_TURN;
  #turn: NodeJS.Immediate | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `note` is called with the time whenever it is known anew: for whatever has happened since the last time, and got `Infinity`. */
  onLook(note: (now: number) => void): void {
    this.#onLook.push(note);
  }

  /** Milliseconds, or `Infinity` where that costs too much: then `onLook` tells, at the end of the turn at the latest. */
  read(): number {
    if (this.#exact > 0) {
      this.#exact--;
      return this.#clock.now();
    }
    this.#turn ??= setImmediate(this.#endTurn);
    return Infinity;
  }

  /** Milliseconds, exactly, and nobody else hears of it. */
  now(): number {
    return this.#clock.now();
  }

  /** Milliseconds, exactly; whatever got `Infinity` hears of it before this returns. */
  look(): number {
    const now = this.#clock.now();
    this.#exact = EXACT_PER_TURN;
    for (const note of this.#onLook) note(now);
    return now;
  }

  stop(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }
}
