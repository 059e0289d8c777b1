/**
 * Who leaves when which signal aborts.
 *
 * One listener per signal, however many share it: adding a listener walks all those that the signal has already, so that a listener for each of
 * 100 000 waiters of one signal costs seconds.
 */
export class AbortGroups<T> {
  readonly #onAbort: (members: readonly T[], reason: unknown) => void;
  readonly #groups = new Map<AbortSignal, Set<T>>();

  /** @param onAbort is told at once of all that leave; they have left by then */
  constructor(onAbort: (members: readonly T[], reason: unknown) => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal | undefined, member: T): void {
    if (signal === undefined) return;
    let members = this.#groups.get(signal);
    if (members === undefined) {
      members = new Set();
      this.#groups.set(signal, members);
      signal.addEventListener('abort', this, { once: true });
    }
    members.add(member);
  }

  delete(signal: AbortSignal | undefined, member: T): void {
    if (signal === undefined) return;
    const members = this.#groups.get(signal);
    if (members === undefined) return;
    members.delete(member);
    if (members.size > 0) return;
    this.#groups.delete(signal);
    signal.removeEventListener('abort', this);
  }

  /** Called by the signals: it is its own listener. */
  handleEvent(event: Event): void {
    const signal = event.target as AbortSignal;
    const members = [...(this.#groups.get(signal) ?? [])];
    this.#groups.delete(signal);
    this.#onAbort(members, signal.reason);
  }
}
