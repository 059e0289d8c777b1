/**
 * Tells many waiters of the abort of their signals, with one listener per signal: adding a listener costs a walk over those already there,
 * so that a request that adds thousands of operations with its one signal would cost their square.
 */
export class SignalWatch {
  readonly #watched = new Map<AbortSignal, { readonly waiters: Set<() => void>; readonly listener: () => void }>();

  /** Has `waiter` called when `signal` aborts, until {@link remove}. `signal` must not have aborted. */
  add(signal: AbortSignal, waiter: () => void): void {
    const watched = this.#watched.get(signal);
    if (watched !== undefined) {
      watched.waiters.add(waiter);
      return;
    }
    const waiters = new Set([waiter]);
    const listener = (): void => {
      this.#watched.delete(signal);
      for (const each of waiters) each();
    };
    this.#watched.set(signal, { waiters, listener });
    signal.addEventListener('abort', listener, { once: true });
  }

  /** Idempotent; the last waiter takes the listener with it. */
  remove(signal: AbortSignal, waiter: () => void): void {
    const watched = this.#watched.get(signal);
    if (watched === undefined || !watched.waiters.delete(waiter) || watched.waiters.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener('abort', watched.listener);
  }
}
