import { type Timer, startTimer } from '@perf/core';

/** Wakes a cache when its next entries expire. One timer for all of them, which does not keep the process alive. */
export class ExpiryTimer {
  readonly #wake: () => void;
  #timer: Timer | undefined;
  #due = Infinity;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Wakes no later than at `due`. */
  arm(due: number, now: number): void {
    if (due >= this.#due) return;
    this.#timer?.cancel();
    this.#due = due;
    // At least a millisecond: timers may fire a little before their time, and would then spin.
    this.#timer = startTimer(() => this.#fire(), Math.max(1, due - now), { unref: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due = Infinity;
  }

  #fire(): void {
    this.stop();
    this.#wake();
  }
}
