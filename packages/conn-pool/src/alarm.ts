import { AsyncLocalStorage } from 'node:async_hooks';
import { type Timer, startTimer } from '@perf/core';

/** One background timer that rings at the earliest of the times asked for. It never keeps the process alive. */
export class Alarm {
  /** A timer keeps the async context it was started in, which is that of whichever caller happened to be there. */
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
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
    const ms = Math.max(1, Math.ceil(at - now));
    this.#timer = this.#inOwnContext(() => startTimer(ring, ms, { unref: true }));
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = Infinity;
  }
}
