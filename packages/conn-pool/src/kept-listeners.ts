/** What of an event emitter is needed to find out who listens. */
export interface Emitter {
  listenerCount(event: string): number;
  rawListeners(event: string): unknown[];
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
}

/** The listeners that a connection keeps, whoever has it: those of later are its borrower's, and go with the lease. */
export class KeptListeners {
  readonly #emitter: Emitter;
  readonly #kept: readonly (readonly [event: string, listeners: readonly unknown[]])[];

  /** Keeps those of now. */
  constructor(emitter: Emitter, events: readonly string[]) {
    this.#emitter = emitter;
    this.#kept = events.map((event) => [event, emitter.rawListeners(event)]);
  }

  /** Takes off those that came since. */
  restore(): void {
    for (const [event, kept] of this.#kept) {
      if (this.#emitter.listenerCount(event) === kept.length) continue;
      for (const listener of this.#emitter.rawListeners(event)) {
        if (!kept.includes(listener)) this.#emitter.removeListener(event, listener as () => void);
      }
    }
  }
}
