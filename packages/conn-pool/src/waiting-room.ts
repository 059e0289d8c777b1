import { AbortGroups, QueueFullError } from '@perf/core';
import type { DeadlockWatch, Scope } from './deadlock-watch.ts';
import { PoolDeadlockError } from './deadlock-error.ts';
import { QUEUE_FULL_CODE } from './errors.ts';
import type { Lease } from './lease.ts';
import type { PoolMetrics } from './metrics.ts';
import type { AcquireOptions, Settings } from './options.ts';
import type { Counters } from './stats.ts';
import type { TurnClock } from './turn-clock.ts';
import { WaitDeadlines } from './wait-deadlines.ts';
import { WaitTimes } from './wait-times.ts';
import { WaitTerms, Waiter } from './waiter.ts';
import { WaiterQueue } from './waiter-queue.ts';

/** What a {@link WaitingRoom} works with. */
export interface WaitingRoomParts {
  readonly settings: Pick<Settings<unknown>, 'name' | 'acquireTimeout' | 'maxWaiting'>;
  readonly turn: TurnClock;
  readonly metrics: PoolMetrics;
  readonly counters: Counters;
  /** Only while deadlocks are watched. */
  readonly deadlocks: DeadlockWatch | undefined;
  /** Whether no connection becomes free unless one of the leases ends, of which there are `leases`. */
  readonly isExhausted: (leases: number) => boolean;
  /** What to tell one that waited for `waited` of `timeout` milliseconds. */
  readonly timeoutError: (timeout: number, waited: number) => Error;
  /** Somebody left without a connection. */
  readonly onLeft: () => void;
}

/** Those who wait for a connection: lets them in, knows who is next, and sends away those whose time is up or whose signal aborts. */
export class WaitingRoom<C> {
  readonly times: WaitTimes = new WaitTimes();
  readonly #parts: WaitingRoomParts;
  readonly #queue = new WaiterQueue<C>();
  readonly #deadlines: WaitDeadlines<C>;
  readonly #aborts = new AbortGroups<Waiter<C>>((waiters, reason) => this.#sendAway(waiters, () => reason));
  /** V8 forgets what it learned of a class when it collects the last object of it, and optimises anew; this one is never collected. */
  readonly #specimen = new Waiter<C>(undefined);

  constructor(parts: WaitingRoomParts) {
    const { turn, settings, timeoutError } = parts;
    this.#parts = parts;
    this.#deadlines = new WaitDeadlines({
      queue: this.#queue,
      clock: turn,
      timeout: settings.acquireTimeout,
      onDue: (waiters, now) =>
        this.#sendAway(waiters, ({ terms, since = now }) => {
          parts.counters.acquireTimeouts++;
          return timeoutError(terms?.timeout ?? settings.acquireTimeout, now - since);
        }),
    });
    this.#specimen.lease.catch(() => {});
  }

  /** How many wait. */
  get size(): number {
    return this.#queue.size;
  }

  /**
   * Waits for a connection. Rejects as `ConnectionPool.acquire()` says.
   * @param options checked, and its signal not aborted
   */
  enter(options: AcquireOptions, trace: Error | undefined): Promise<Lease<C>> {
    const { settings, counters, deadlocks } = this.#parts;
    const { timeout = settings.acquireTimeout, signal, priority = 0 } = options;
    const scope = deadlocks?.current;
    const refusal = this.size >= settings.maxWaiting ? this.#full() : this.#deadlock(scope);
    if (refusal !== undefined) {
      counters.refused++;
      return Promise.reject(refusal);
    }
    const plain = timeout === settings.acquireTimeout;
    const isSimple = plain && signal === undefined && trace === undefined;
    const waiter = new Waiter<C>(isSimple ? undefined : new WaitTerms({ timeout, signal, trace, scope }));
    this.#queue.add(waiter, priority, plain);
    this.#deadlines.joined(waiter, plain);
    if (signal !== undefined) this.#aborts.add(signal, waiter);
    return waiter.lease;
  }

  /** Takes out the one to be served next. Whoever calls this serves it. */
  next(): Waiter<C> | undefined {
    const { turn, metrics } = this.#parts;
    const waiter = this.#queue.peek(turn);
    if (waiter === undefined) return undefined;
    this.#leaves(waiter);
    // Came in this very turn, among many.
    if (waiter.since === undefined) {
      metrics.waited(0);
      return waiter;
    }
    const waited = Math.max(0, turn.now() - waiter.since);
    this.times.record(waited);
    metrics.waited(waited);
    return waiter;
  }

  /** Turns away the one that would be next. Returns whether there was one. */
  turnAway(error: unknown): boolean {
    const waiter = this.#queue.peek(this.#parts.turn);
    if (waiter === undefined) return false;
    this.#leaves(waiter);
    waiter.reject(error);
    return true;
  }

  /** Nobody will wait any more. */
  stop(): void {
    this.#deadlines.stop();
  }

  #sendAway(waiters: readonly Waiter<C>[], why: (waiter: Waiter<C>) => unknown): void {
    for (const waiter of waiters) {
      if (waiter.list === undefined) continue;
      this.#leaves(waiter);
      waiter.reject(why(waiter));
    }
    this.#parts.onLeft();
  }

  #leaves(waiter: Waiter<C>): void {
    this.#queue.remove(waiter);
    this.#deadlines.left(waiter);
    const { terms } = waiter;
    if (terms === undefined) return;
    if (terms.signal !== undefined) this.#aborts.delete(terms.signal, waiter);
    this.#parts.deadlocks?.goesOn(terms.scope);
  }

  #full(): QueueFullError {
    const { name, maxWaiting } = this.#parts.settings;
    return new QueueFullError(`the queue of "${name}"`, {
      pending: this.size,
      limit: maxWaiting,
      code: QUEUE_FULL_CODE,
    });
  }

  /** Notes that a caller in `scope` waits, unless then each that has a connection would wait. */
  #deadlock(scope: Scope | undefined): PoolDeadlockError | undefined {
    const { deadlocks, settings, isExhausted } = this.#parts;
    if (deadlocks === undefined || scope === undefined) return undefined;
    deadlocks.waits(scope);
    if (!isExhausted(deadlocks.blocked.size)) return undefined;
    const error = new PoolDeadlockError(
      settings.name,
      [...deadlocks.blocked].map((each) => each.trace),
    );
    deadlocks.goesOn(scope);
    return error;
  }
}
