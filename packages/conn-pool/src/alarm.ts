import { type Timer, startTimer } from '@perf/core';

/** One background timer that rings at the earliest of the times asked for. It never keeps the process alive. */
export class Alarm {
  readonly #ring: () => void;
  #at = Infinity;
  #timer: Timer | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `at` unless it rings earlier anyway. */
  set(at: number, now: number): void {
    if (at >= this.#at) return;
    this.#timer?.cancel();
    this.#at = at;
    const ring = (): void => {
      this.clear();
      this.#ring();
    };
    // Rounded up: Node's timers may fire a fraction of a millisecond early, to find that nothing is due.
    this.#timer = startTimer(ring, Math.max(1, Math.ceil(at - now)), { unref: true });
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = Infinity;
  }
}
