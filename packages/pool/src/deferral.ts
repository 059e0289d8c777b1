/** Keeps what must not happen in the middle of something until that is over. */
export class Deferral {
  #isBusy = false;

  /** Does what must not be interrupted. It may call back, but is not called within itself. */
  during<R>(work: () => R): R {
    this.#isBusy = true;
    try {
      return work();
    } finally {
      this.#isBusy = false;
    }
  }

  /** Whether now is the middle of it: then `later` is called in a microtask. */
  defers(later: () => void): boolean {
    if (this.#isBusy) queueMicrotask(later);
    return this.#isBusy;
  }
}
