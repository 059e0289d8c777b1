import { AsyncResource } from 'node:async_hooks';
import type { LimiterLease } from './limiter-lease.ts';
import { Waiting } from './wait-queue.ts';

/** Somebody who waits for a turn: with a function to run, or for a lease. */
export abstract class LimiterWaiter extends Waiting {
  readonly weight: number;
  readonly signal: AbortSignal | undefined;

  constructor(weight: number, signal: AbortSignal | undefined) {
    super();
    this.weight = weight;
    this.signal = signal;
  }

  abstract reject(reason: unknown): void;
}

/** Waits to hold a lease. */
export class WaitingLease extends LimiterWaiter {
  readonly promise: Promise<LimiterLease>;
  resolve!: (lease: LimiterLease) => void;
  reject!: (reason: unknown) => void;

  constructor(weight: number, signal: AbortSignal | undefined) {
    super(weight, signal);
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/**
 * Waits to run a function, in the async context of its caller.
 *
 * An `AsyncResource` keeps that context: a promise to wait for would, too, at several times the price.
 */
export class WaitingJob extends LimiterWaiter {
  readonly promise: Promise<unknown>;
  readonly #fn: () => unknown;
  readonly #context = new AsyncResource('perf.Limiter');
  resolve!: (result: unknown) => void;
  reject!: (reason: unknown) => void;

  constructor(fn: () => unknown, weight: number, signal: AbortSignal | undefined) {
    super(weight, signal);
    this.#fn = fn;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Throws what the function throws, and the reason when the signal aborted after the turn was given and before now. */
  start(): unknown {
    this.signal?.throwIfAborted();
    return this.#context.runInAsyncScope(this.#fn);
  }
}
