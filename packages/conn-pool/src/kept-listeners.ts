/** What of an event emitter is needed to find out who listens. */
export interface Emitter {
  listenerCount(event: string, listener?: (...args: never[]) => void): number;
  rawListeners(event: string): unknown[];
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
}

type Listener = (...args: never[]) => void;

/** The listeners that a connection keeps, whoever has it: those of later are its borrower's, and go with the lease. */
export class KeptListeners {
  readonly #emitter: Emitter;
  readonly #kept: readonly (readonly [event: string, listeners: readonly Listener[]])[];

  /** Keeps those of now. */
  constructor(emitter: Emitter, events: readonly string[]) {
    this.#emitter = emitter;
    this.#kept = events.map((event) => [event, emitter.rawListeners(event) as Listener[]]);
  }

  /** Takes off those that came since, and puts back those that are gone: `removeAllListeners()` takes the pool's too. */
  restore(): void {
    for (const [event, kept] of this.#kept) if (!this.#isAsKept(event, kept)) this.#put(event, kept);
  }

  #isAsKept(event: string, kept: readonly Listener[]): boolean {
    if (this.#emitter.listenerCount(event) !== kept.length) return false;
    for (const listener of kept) if (this.#emitter.listenerCount(event, listener) === 0) return false;
    return true;
  }

  #put(event: string, kept: readonly Listener[]): void {
    const now = this.#emitter.rawListeners(event) as Listener[];
    for (const listener of now) if (!kept.includes(listener)) this.#emitter.removeListener(event, listener);
    for (const listener of kept) if (!now.includes(listener)) this.#emitter.on(event, listener);
  }
}
