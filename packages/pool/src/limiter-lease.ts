/** The right to be one of those that run at once. `using lease = await limiter.acquire()` gives it back at the end of the block. */
export class LimiterLease implements Disposable {
  #giveBack: ((weight: number) => void) | undefined;
  /** How much of the limit it takes. */
  readonly weight: number;

  /** @internal */
  constructor(weight: number, giveBack: (weight: number) => void) {
    this.weight = weight;
    this.#giveBack = giveBack;
  }

  /** Gives the lease back and lets the next one run. Calling it again does nothing. */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.(this.weight);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
