import { type Timer, startTimer } from '@perf/core';
import type { Lease } from './lease.ts';
import type { Linked, LinkedList } from './linked-list.ts';

/** What ends a wait early. */
export interface WaitLimits {
  /** In milliseconds; `Infinity` for never. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onTimeout: () => void;
  readonly onAbort: () => void;
}

/** What a waiter is made of. */
export interface WaiterFacts {
  readonly priority: number;
  /** When it came. */
  readonly since: number;
  /** Where it asked, while leaks are watched. */
  readonly trace: Error | undefined;
}

/** One caller in the queue. It settles once, and then holds no timer and no listener. */
export class Waiter<C> implements Linked<Waiter<C>> {
  previous: Waiter<C> | undefined;
  next: Waiter<C> | undefined;
  /** The line it stands in; kept by the queue. */
  line: LinkedList<Waiter<C>> | undefined;

  readonly lease: Promise<Lease<C>>;
  readonly priority: number;
  readonly since: number;
  readonly trace: Error | undefined;
  readonly #resolve: (lease: Lease<C>) => void;
  readonly #reject: (error: unknown) => void;
  #timer: Timer | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor({ priority, since, trace }: WaiterFacts) {
    const { promise, resolve, reject } = Promise.withResolvers<Lease<C>>();
    this.lease = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.priority = priority;
    this.since = since;
    this.trace = trace;
  }

  limit({ timeout, signal, onTimeout, onAbort }: WaitLimits): void {
    // A caller waits for this promise: the process stays for it, even while only unref'd timers of ours are left.
    const finite = timeout === Infinity ? Number.MAX_SAFE_INTEGER : timeout;
    this.#timer = startTimer(onTimeout, finite);
    if (signal === undefined) return;
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal.addEventListener('abort', onAbort, { once: true });
  }

  serve(lease: Lease<C>): void {
    this.#unlimit();
    this.#resolve(lease);
  }

  fail(error: unknown): void {
    this.#unlimit();
    this.#reject(error);
  }

  #unlimit(): void {
    this.#timer?.cancel();
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#signal = this.#onAbort = undefined;
  }
}
