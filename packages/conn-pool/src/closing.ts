import { type Timer, startTimer } from '@perf/core';

/** The closing of a pool: it ends when the last connection is gone, and gets forceful when its time is up. */
export class Closing {
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #onForce: () => void;
  readonly #timers: Timer[] = [];
  #forced = false;

  constructor(onForce: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#finish = resolve;
    this.#onForce = onForce;
  }

  /** Uses force after `timeout` milliseconds. Of several times asked for, the first counts. */
  forceAfter(timeout: number): void {
    if (!this.#forced) this.#timers.push(startTimer(() => this.force(), timeout));
  }

  force(): void {
    if (this.#forced) return;
    this.#forced = true;
    this.#cancelTimers();
    this.#onForce();
  }

  finish(): void {
    this.#forced = true;
    this.#cancelTimers();
    this.#finish();
  }

  #cancelTimers(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }
}
