import {
  type Closeable,
  QueueFullError,
  type StatsSource,
  checkBoolean,
  checkDuration,
  checkFunction,
  checkOptions,
  checkSignal,
} from '@perf/core';
import { Closing } from './closing.ts';
import { AcquireTimeoutError, CreateFailedError, QUEUE_FULL_CODE, closedError } from './errors.ts';
import { AcquireTrace } from './leak-watch.ts';
import { Lease, type Lender } from './lease.ts';
import { PoolMetrics } from './metrics.ts';
import {
  type AcquireOptions,
  type CloseOptions,
  type ConnectionPoolOptions,
  type ResizeOptions,
  type Settings,
  type WarmUpOptions,
  checkAcquireOptions,
  resolveOptions,
  resolveResize,
} from './options.ts';
import type { Slot } from './slot.ts';
import type { ConnectionPoolStats } from './stats.ts';
import { Stock } from './stock.ts';
import { WaitTimes } from './wait-times.ts';
import { Waiter } from './waiter.ts';
import { WaiterQueue } from './waiter-queue.ts';
import { WarmUps } from './warm-up.ts';

const NO_OPTIONS: AcquireOptions = {};

/**
 * A pool of connections of any kind. A connection has one owner at a time, there are never more than `max`, and callers are served in the
 * order they came.
 *
 * Connections belong to the pool: it opens them when more callers wait than connections are on their way, whoever gets them then, and
 * keeps those nobody waits for any more. While the peer is down it tries one at a time, after growing, random waits; callers wait until
 * their own time is up, and then hear why.
 */
export class ConnectionPool<C> implements Closeable, StatsSource<ConnectionPoolStats> {
  readonly #settings: Settings<C>;
  readonly #metrics: PoolMetrics;
  readonly #stock: Stock<C>;
  readonly #lender: Lender<C>;
  readonly #waiters = new WaiterQueue<C>();
  readonly #waitTimes = new WaitTimes();
  readonly #warmUps: WarmUps;
  #closing: Closing | undefined;

  /** @throws RangeError, TypeError naming the option and its value */
  constructor(options: ConnectionPoolOptions<C>) {
    const settings = resolveOptions(options);
    const waiters = this.#waiters;
    this.#settings = settings;
    this.#metrics = new PoolMetrics(this, settings);
    const customers = {
      get waiting(): number {
        return waiters.size;
      },
      serve: (slot: Slot<C>) => this.#serve(slot),
      changed: () => this.#changed(),
      createFailed: (error: unknown) => this.#createFailed(error),
    };
    const stock = new Stock(settings, customers, this.#metrics);
    this.#stock = stock;
    this.#warmUps = new WarmUps(settings, stock);
    this.#lender = {
      name: settings.name,
      takeBack: (slot) => stock.takeBack(slot),
      discard: (slot, reason) => stock.discard(slot, reason),
    };
    // Not at once: `create` may use the variable that this pool is about to be assigned to.
    if (settings.min > 0) queueMicrotask(() => stock.pump());
  }

  get name(): string {
    return this.#settings.name;
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Borrows a connection. A free one is lent at once; otherwise the caller queues. Returns it with `lease.release()`, or at the end of
   * the block with `using lease = await pool.acquire()`.
   *
   * Rejects with AcquireTimeoutError when the time is up (its `cause` is the last error of `create` while connecting fails), with
   * QueueFullError when `maxWaiting` others wait, with ClosedError after `close()`, and with `signal.reason` on abort.
   * O(1).
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    if (options !== undefined) {
      try {
        checkAcquireOptions(options);
        options.signal?.throwIfAborted();
      } catch (error) {
        return Promise.reject(error);
      }
    }
    if (this.#closing !== undefined) return Promise.reject(closedError(this.#settings.name));
    const trace = this.#settings.leakThreshold < Infinity ? new AcquireTrace() : undefined;
    // Who waits already comes first, so that a connection that is just being validated is not overtaken.
    const slot = this.#waiters.size === 0 ? this.#stock.take() : undefined;
    if (slot === undefined) return this.#wait(options ?? NO_OPTIONS, trace);
    this.#metrics.waited(0);
    this.#stock.lend(slot, trace);
    return Promise.resolve(new Lease(this.#lender, slot));
  }

  /**
   * Runs `fn` with a connection, and gives it back whatever happens; destroys it if `fn` threw an error that is fatal by `isFatal`.
   * `signal` ends the wait for the connection, not `fn`. Rejects like `acquire()`, or with what `fn` threw.
   */
  async use<R>(fn: (connection: C) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    checkFunction('fn', fn);
    const lease = await this.acquire(options);
    try {
      return await fn(lease.connection);
    } catch (error) {
      if (this.#stock.connector.isFatal(error)) lease.discard(error);
      throw error;
    } finally {
      lease[Symbol.dispose]();
    }
  }

  /**
   * Waits until `min` connections are open: before a service says that it is ready, say. They are being opened anyway.
   *
   * Rejects with a TimeoutError (code `PERF_CONN_POOL_WARM_UP_TIMEOUT`, the last error of `create` as `cause`), with ClosedError, or
   * with `signal.reason`.
   */
  async warmUp(options: WarmUpOptions = {}): Promise<void> {
    checkOptions('warmUp()', options, ['signal', 'timeout']);
    if (options.timeout !== undefined) checkDuration('timeout', options.timeout);
    if (options.signal !== undefined) checkSignal('signal', options.signal).throwIfAborted();
    if (this.#closing !== undefined) throw closedError(this.#settings.name);
    this.#stock.pump();
    if (!this.#isWarm()) await this.#warmUps.wait(options);
  }

  /**
   * Destroys every idle connection, when they are known to be stale (the peer failed over) or memory is short. `min` are opened anew; lent
   * connections are not touched. Returns how many went. O(idle).
   */
  evictIdle(): number {
    return this.#stock.evictIdle();
  }

  /**
   * Takes every connection made until now out of service: idle ones are destroyed now, lent ones when they are given back, and those
   * that are being created are given up. `min` are opened anew. For a peer that failed over, or credentials that changed. Returns how many
   * connections went or will. O(connections).
   */
  evictAll(): number {
    return this.#stock.evictAll();
  }

  /**
   * Changes how many connections are kept and how many there may be. More room serves those who wait at once. With less room, idle
   * connections above it are destroyed now, lent ones as they are given back, and from then on there are never more than the new `max`.
   *
   * @throws RangeError, TypeError naming the option and its value; ClosedError after `close()`
   */
  resize(options: ResizeOptions): void {
    const bounds = resolveResize(options, this.#stock.bounds);
    if (this.#closing !== undefined) throw closedError(this.#settings.name);
    this.#stock.resize(bounds);
  }

  /** Whether `pause()` was called, and `resume()` not yet. */
  get paused(): boolean {
    return this.#stock.paused;
  }

  /**
   * Lends nothing and opens nothing until `resume()`. Callers wait, each until its own time is up; lent connections may be used and given
   * back, idle ones are kept. `close()` of a paused pool turns those who wait off at once. With `evictAll()`: to move to another
   * server without an error. Idempotent.
   *
   * @throws ClosedError after `close()`
   */
  pause(): void {
    if (this.#closing !== undefined) throw closedError(this.#settings.name);
    this.#stock.pause();
  }

  /** Ends a pause: those who wait are served in their order. Does nothing when the pool is not paused. */
  resume(): void {
    if (this.#stock.paused) this.#stock.resume();
  }

  /** O(1) but for the quantiles of the waits. */
  stats(): Readonly<ConnectionPoolStats> {
    const { slots, counters, connector, bounds } = this.#stock;
    return {
      size: slots.size,
      idle: slots.count('idle'),
      inUse: slots.count('lent'),
      creating: slots.count('creating') + slots.count('abandoned'),
      checking: slots.count('validating') + slots.count('resetting'),
      destroying: slots.count('destroying'),
      waiting: this.#waiters.size,
      ...bounds,
      ...counters,
      checkErrors: connector.checkErrors,
      ...this.#waitTimes.summary(counters.acquired),
    };
  }

  /**
   * Refuses new callers, serves those who wait, and destroys the connections as they are given back. After `timeout`, or at once with
   * `force`, those who still wait are turned off with a ClosedError, and lent connections are destroyed under their owners.
   *
   * Resolves when every connection is destroyed, and never rejects but for bad options; it settles at the latest `destroyTimeout` after
   * force was used. A further call may ask for more haste; it returns the same promise.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { force = false, timeout } = options;
    try {
      checkOptions('close()', options, ['force', 'timeout']);
      checkBoolean('force', force);
      if (timeout !== undefined) checkDuration('timeout', timeout);
    } catch (error) {
      return Promise.reject(error);
    }
    const first = this.#closing === undefined;
    const closing = (this.#closing ??= new Closing(() => this.#force()));
    if (first) {
      this.#warmUps.fail();
      if (this.#stock.paused) this.#turnAway();
      this.#stock.windDown();
    }
    if (force) closing.force();
    else if (first || timeout !== undefined) closing.forceAfter(timeout ?? 10_000);
    this.#stock.pump();
    return closing.done;
  }

  /** Closes the pool at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wait(options: AcquireOptions, trace: Error | undefined): Promise<Lease<C>> {
    const { timeout = this.#settings.acquireTimeout, signal, priority = 0 } = options;
    const { name, maxWaiting, clock } = this.#settings;
    // Asked again: a synchronous `validate` of the user has run since.
    if (this.#closing !== undefined) return Promise.reject(closedError(this.#settings.name));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const pending = this.#waiters.size;
    if (pending >= maxWaiting) {
      this.#stock.counters.refused++;
      const facts = { pending, limit: maxWaiting, code: QUEUE_FULL_CODE };
      return Promise.reject(new QueueFullError(`the queue of "${name}"`, facts));
    }
    const waiter = new Waiter<C>({ priority, since: clock.now(), trace });
    this.#waiters.add(waiter);
    waiter.limit({
      timeout,
      signal,
      onTimeout: () => this.#leave(waiter, () => this.#timedOut(waiter, timeout)),
      onAbort: () => this.#leave(waiter, () => signal?.reason),
    });
    this.#stock.pump();
    return waiter.lease;
  }

  #serve(slot: Slot<C>): void {
    const waiter = this.#waiters.take();
    if (waiter === undefined) return;
    const waited = this.#settings.clock.now() - waiter.since;
    this.#waitTimes.record(waited);
    this.#metrics.waited(waited);
    this.#stock.lend(slot, waiter.trace);
    waiter.serve(new Lease(this.#lender, slot));
  }

  /** The wait of `waiter` is over, without a connection. */
  #leave(waiter: Waiter<C>, why: () => unknown): void {
    if (!this.#waiters.remove(waiter)) return;
    waiter.fail(why());
    this.#changed();
  }

  #timedOut(waiter: Waiter<C>, timeout: number): AcquireTimeoutError {
    const { name, clock } = this.#settings;
    const { counters, slots, lastError, bounds } = this.#stock;
    counters.acquireTimeouts++;
    return new AcquireTimeoutError(name, {
      timeout,
      waited: clock.now() - waiter.since,
      inUse: slots.count('lent'),
      waiting: this.#waiters.size,
      max: bounds.max,
      ...(lastError === undefined ? {} : { cause: lastError }),
    });
  }

  #isWarm(): boolean {
    const { slots } = this.#stock;
    return slots.lasting - slots.count('creating') >= this.#stock.bounds.min;
  }

  /** Connections or waiters have come or gone. */
  #changed(): void {
    if (this.#closing === undefined) {
      if (this.#isWarm()) this.#warmUps.done();
      return;
    }
    if (this.#waiters.size > 0) return;
    this.#stock.giveUpCreates(closedError(this.#settings.name));
    if (this.#stock.slots.size > 0) return;
    this.#stock.stop();
    this.#closing.finish();
  }

  #createFailed(error: unknown): void {
    const { onCreateError, name } = this.#settings;
    if (onCreateError === 'retry') return;
    do this.#waiters.take()?.fail(new CreateFailedError(name, error));
    while (onCreateError === 'reject-all' && this.#waiters.size > 0);
  }

  #turnAway(): void {
    for (let waiter = this.#waiters.take(); waiter !== undefined; waiter = this.#waiters.take()) {
      waiter.fail(closedError(this.#settings.name));
    }
  }

  #force(): void {
    this.#turnAway();
    this.#stock.giveUpCreates(closedError(this.#settings.name));
    this.#stock.endAll();
    this.#stock.pump();
  }
}
