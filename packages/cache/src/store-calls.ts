import { type Clock, TimeoutError, deadline } from '@perf/core';
import { type BreakerState, CircuitBreaker } from './circuit-breaker.ts';
import { StoreUnavailableError } from './errors.ts';
import { type StoreOperation, observeStoreCall } from './telemetry.ts';

export interface StoreCallsOptions {
  readonly clock: Clock;
  /** Milliseconds a call may take. */
  readonly timeout: number;
  /** Failures in a row after which the store is left alone. */
  readonly breakAfter: number;
  /** Milliseconds for which it is, then. */
  readonly breakFor: number;
  readonly name: string | undefined;
}

/** Every call of a store goes through here: bounded in time, not made while the store is in trouble, and observed. */
export class StoreCalls {
  readonly #options: StoreCallsOptions;
  readonly #breaker: CircuitBreaker;
  #failures = 0;

  constructor(options: StoreCallsOptions) {
    this.#options = options;
    this.#breaker = new CircuitBreaker({ failures: options.breakAfter, cooldown: options.breakFor });
  }

  /** Calls that failed or were not answered in time. */
  get failures(): number {
    return this.#failures;
  }

  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  /** How often the store was given up. */
  get openings(): number {
    return this.#breaker.openings;
  }

  /** Rejects with what the store does, with a TimeoutError, or at once with a StoreUnavailableError. */
  run<T>(operation: StoreOperation, work: () => Promise<T>): Promise<T> {
    const { clock, timeout, name } = this.#options;
    const pass = this.#breaker.enter(clock.now());
    if (pass === undefined) return Promise.reject(new StoreUnavailableError());
    const onTimeout = (): Error =>
      new TimeoutError(`the store did not answer within ${timeout} ms`, { timeout, code: 'PERF_CACHE_STORE_TIMEOUT' });
    return observeStoreCall({ operation, name }, async () => {
      try {
        const result = await deadline(work, { timeout, onTimeout });
        this.#breaker.succeeded(pass);
        return result;
      } catch (error) {
        this.#failures++;
        this.#breaker.failed(pass, clock.now());
        throw error;
      }
    });
  }
}
