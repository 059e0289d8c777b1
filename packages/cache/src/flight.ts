import { abortable } from '@perf/core';

/**
 * The result of a load that several callers wait for, each with a signal of its own. When the last of them has left, the load is told that nobody
 * wants it any more.
 */
export class Flight<T> {
  readonly #landing: PromiseWithResolvers<T> = Promise.withResolvers<T>();
  readonly #onDeserted: (reason: unknown) => void;
  #waiting = 0;
  #held = false;
  #landed = false;
  #result: T | undefined;

  constructor(onDeserted: (reason: unknown) => void) {
    this.#onDeserted = onDeserted;
    // A failure that nobody waits for is nobody's problem.
    this.#landing.promise.catch(() => {});
  }

  /** The result once there is one. */
  get result(): T | undefined {
    return this.#result;
  }

  /** Waits for the result, or until `signal` aborts: then rejects with its reason at once. */
  async join(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting++;
    try {
      return await abortable(this.#landing.promise, signal);
    } finally {
      this.#waiting--;
      this.#mayBeDeserted(signal?.reason);
    }
  }

  /** Keeps the load going without callers, until {@link Flight.release}. */
  hold(): void {
    this.#held = true;
  }

  /** Gives up a hold; without one it does nothing. */
  release(reason: unknown): void {
    if (!this.#held) return;
    this.#held = false;
    this.#mayBeDeserted(reason);
  }

  land(result: T): void {
    this.#landed = true;
    this.#result = result;
    this.#landing.resolve(result);
  }

  fail(error: unknown): void {
    this.#landed = true;
    this.#landing.reject(error);
  }

  #mayBeDeserted(reason: unknown): void {
    if (this.#waiting === 0 && !this.#held && !this.#landed) this.#onDeserted(reason);
  }
}
