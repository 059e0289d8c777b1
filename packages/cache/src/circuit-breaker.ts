/** `closed`: calls go through. `open`: none does. `half-open`: one call finds out. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** A call that a {@link CircuitBreaker} let through. */
export interface BreakerPass {
  /** Calls let through before the breaker opened say nothing about the time after. */
  readonly epoch: number;
}

/** When a {@link CircuitBreaker} opens, and for how long. */
export interface BreakerOptions {
  /** Failures in a row that open it, `Infinity` for never. */
  readonly failures: number;
  /** Milliseconds from then until a call finds out whether things are better. */
  readonly cooldown: number;
}

/**
 * Stops asking who does not answer. After some failures in a row no call goes through; after the cooldown one does, alone, and its outcome decides: the breaker closes, or
 * stays open for another cooldown.
 *
 * Pure: the time is given.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #openUntil = -Infinity;
  #epoch = 0;
  #state: BreakerState = 'closed';
  #openings = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How often it has opened, from closed. */
  get openings(): number {
    return this.#openings;
  }

  /** When the next call may find out whether things are better; in the past while it is not open. */
  get openUntil(): number {
    return this.#openUntil;
  }

  /** Lets a call through, whose outcome is to be reported; `undefined` when it must not be made. */
  enter(now: number): BreakerPass | undefined {
    if (this.#state === 'half-open' || (this.#state === 'open' && now < this.#openUntil)) return undefined;
    if (this.#state === 'open') {
      this.#state = 'half-open';
      this.#epoch++;
    }
    return { epoch: this.#epoch };
  }

  succeeded({ epoch }: BreakerPass): void {
    if (epoch !== this.#epoch) return;
    this.#failures = 0;
    this.#state = 'closed';
  }

  failed({ epoch }: BreakerPass, now: number): void {
    if (epoch !== this.#epoch) return;
    this.#failures++;
    if (this.#state === 'closed' && this.#failures < this.#options.failures) return;
    if (this.#state === 'closed') this.#openings++;
    this.#state = 'open';
    this.#openUntil = now + this.#options.cooldown;
    // What was under way when it opened may fail later: that is no news.
    this.#epoch++;
  }
}
