import { AbortGroups, systemClock } from '@perf/core';
import { BatchDeadlineError } from './batch-deadline-error.ts';
import { Caller } from './caller.ts';
import { Deadlines } from './deadlines.ts';
import type { Operation } from './operation.ts';

/** Why the last caller of an operation left. */
export type Departure = 'withdrawn' | 'expired';

/** Told when nobody waits for an operation any more. */
export type OnForsaken<Op, R> = (operation: Operation<Op, R>, reason: unknown, departure: Departure) => void;

/**
 * The callers that may leave before their operation has settled, on a signal or when their time is up: one listener per signal and one timer,
 * however many they are.
 */
export class Callers<Op, R> {
  readonly #onForsaken: OnForsaken<Op, R>;
  readonly #signals = new AbortGroups<Caller<Op, R>>((callers, reason) => {
    for (const caller of callers) this.#leave(caller, reason, 'withdrawn');
  });
  readonly #deadlines: Deadlines<Caller<Op, R>> = new Deadlines((caller) => this.#expire(caller));

  constructor(onForsaken: OnForsaken<Op, R>) {
    this.#onForsaken = onForsaken;
  }

  /** The view of a caller of `operation` that has a signal, a timeout, or both. */
  wait(operation: Operation<Op, R>, signal: AbortSignal | undefined, timeout: number): Promise<R> {
    const deadline = timeout === Infinity ? Infinity : systemClock.now() + timeout;
    const caller = new Caller(operation, { signal, timeout, deadline });
    operation.join(caller);
    // A callback of the batcher may have aborted it since it was looked at.
    if (signal?.aborted === true) {
      this.#leave(caller, signal.reason, 'withdrawn');
      return caller.promise;
    }
    this.#signals.add(signal, caller);
    if (deadline !== Infinity) this.#deadlines.add(caller);
    return caller.promise;
  }

  /** Forgets the callers of an operation that has settled. */
  dismiss(operation: Operation<Op, R>): void {
    if (operation.callers === undefined) return;
    for (const caller of operation.callers) this.#forget(caller);
  }

  /** Lets those go whose time is up, whether or not the timer has noticed yet: nothing is sent too late. */
  expire(): void {
    if (this.#deadlines.size > 0) this.#deadlines.expire();
  }

  #expire(caller: Caller<Op, R>): void {
    const { batch, uncertain, goesOn } = caller.operation;
    const outcomeUnknown = uncertain || batch?.running === true || goesOn;
    this.#leave(caller, new BatchDeadlineError(caller.timeout, outcomeUnknown), 'expired');
  }

  #leave(caller: Caller<Op, R>, reason: unknown, departure: Departure): void {
    const { operation } = caller;
    this.#forget(caller);
    operation.callers?.remove(caller);
    caller.reject(reason);
    if (operation.forsaken) this.#onForsaken(operation, reason, departure);
  }

  #forget(caller: Caller<Op, R>): void {
    this.#signals.delete(caller.signal, caller);
    this.#deadlines.delete(caller);
  }
}
