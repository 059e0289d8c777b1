import { MAX_TIMER_DELAY } from '@perf/core';

/**
 * One timer that rings at the earliest of the times asked for, and keeps the process alive while it is told to: a caller waits then,
 * even if it is for ever. Not core's `startTimer`, because it stays armed while the queue is empty, which happens thousands of times a
 * second, and changes its mind about the process instead.
 */
export class WaitTimer {
  readonly #ring: () => void;
  #at = Infinity;
  #handle: NodeJS.Timeout | undefined;
  #holds = false;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `at` unless it rings earlier anyway; earlier, too, if that is too far away for a timer. */
  set(at: number, now: number): void {
    if (at >= this.#at && this.#handle !== undefined) return;
    clearTimeout(this.#handle);
    this.#at = at;
    // Rounded up: Node's timers may fire a fraction of a millisecond early, to find that nothing is due.
    this.#handle = setTimeout(() => this.#rings(), Math.min(MAX_TIMER_DELAY, Math.max(1, Math.ceil(at - now))));
    if (!this.#holds) this.#handle.unref();
  }

  /** Keeps the process alive from now on. */
  hold(): void {
    this.#holds = true;
    this.#handle?.ref();
  }

  letGo(): void {
    this.#holds = false;
    this.#handle?.unref();
  }

  clear(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#at = Infinity;
  }

  #rings(): void {
    this.#handle = undefined;
    this.#at = Infinity;
    this.#ring();
  }
}
