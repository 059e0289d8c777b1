import { AsyncResource } from 'node:async_hooks';
import type { LimiterLease } from './limiter-lease.ts';
import { type LimiterCall, PLAIN_CALL } from './limiter-options.ts';
import { type Lane, Waiting } from './wait-queue.ts';

/** Somebody who waits for a turn: for a lease, or with a function to run. */
export type LimiterWaiter = WaitingLease | WaitingJob;

/** Waits to hold a lease. */
export class WaitingLease extends Waiting {
  /**
   * Never used: a full garbage collection that found no waiter would drop the shape of waiters, and with it all code optimised for it.
   * Calls would take twice as long until it is optimised again.
   */
  protected static readonly kept: WaitingLease = new WaitingLease(PLAIN_CALL);
  readonly call: LimiterCall;
  readonly promise: Promise<LimiterLease>;
  resolve!: (lease: LimiterLease) => void;
  reject!: (reason: unknown) => void;

  constructor(call: LimiterCall) {
    super();
    this.call = call;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/**
 * Waits to run a function, in the async context of its caller: as a resource it keeps that. So would a promise to wait for, at twice the memory.
 */
export class WaitingJob extends AsyncResource implements Waiting {
  /** As of {@link WaitingLease}. */
  protected static readonly kept: WaitingJob = new WaitingJob(() => {}, PLAIN_CALL);
  since = 0;
  order = 0;
  priority = 0;
  lane: Lane | undefined = undefined;
  before: Waiting | undefined = undefined;
  after: Waiting | undefined = undefined;
  readonly call: LimiterCall;
  readonly #fn: () => unknown;
  resolve!: (result: unknown) => void;
  reject!: (reason: unknown) => void;

  constructor(fn: () => unknown, call: LimiterCall) {
    super('perf.Limiter');
    this.#fn = fn;
    this.call = call;
  }

  /** To be called once: who waits keeps what it says, the waiter does not. */
  promise(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Throws what the function throws, and the reason when the signal aborted after the turn was given and before now. */
  start(): unknown {
    this.call.signal?.throwIfAborted();
    return this.runInAsyncScope(this.#fn);
  }
}
