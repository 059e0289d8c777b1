import { type Closeable, type StatsSource, checkDuration, checkFunction, checkOptions, checkSignal } from '@perf/core';
import { AcquireTrace } from './acquire-trace.ts';
import { Closing } from './closing.ts';
import { DeadlockWatch } from './deadlock-watch.ts';
import { AcquireTimeoutError, CreateFailedError, closedError } from './errors.ts';
import type { Lease } from './lease.ts';
import { PoolMetrics } from './metrics.ts';
import {
  type AcquireOptions,
  type CloseOptions,
  type ConnectionPoolOptions,
  type ResizeOptions,
  type Settings,
  type WarmUpOptions,
  checkAcquireOptions,
  checkCloseOptions,
  resolveOptions,
  resolveResize,
} from './options.ts';
import { type ConnectionPoolStats, zeroCounters } from './stats.ts';
import { Stock } from './stock.ts';
import { TurnClock } from './turn-clock.ts';
import { WaitingRoom } from './waiting-room.ts';
import { WarmUps } from './warm-up.ts';

const NO_OPTIONS: AcquireOptions = {};

/**
 * A pool of connections of any kind. A connection has one owner at a time (or `maxLeasesPerConnection`), there are never more than `max`,
 * and callers are served in the order they came.
 *
 * Connections belong to the pool: it opens them when more callers wait than connections are on their way, whoever gets them then, and
 * keeps those nobody waits for any more. While the peer is down it tries one at a time, after growing, random waits; callers wait until
 * their own time is up, and then hear why.
 */
export class ConnectionPool<C> implements Closeable, StatsSource<ConnectionPoolStats> {
  readonly #settings: Settings<C>;
  readonly #metrics: PoolMetrics;
  readonly #stock: Stock<C>;
  readonly #room: WaitingRoom<C>;
  readonly #turn: TurnClock;
  /** Only with `detectDeadlocks`. */
  readonly #deadlocks: DeadlockWatch | undefined;
  readonly #traces: boolean;
  readonly #warmUps: WarmUps;
  #closing: Closing | undefined;

  /** @throws RangeError, TypeError naming the option and its value */
  constructor(options: ConnectionPoolOptions<C>) {
    const settings = resolveOptions(options);
    this.#settings = settings;
    const metrics = new PoolMetrics(this, settings);
    this.#metrics = metrics;
    const turn = new TurnClock(settings.clock);
    this.#turn = turn;
    const counters = zeroCounters();
    const deadlocks = settings.detectDeadlocks ? new DeadlockWatch() : undefined;
    this.#deadlocks = deadlocks;
    this.#traces = settings.detectDeadlocks || settings.leakThreshold < Infinity;
    const common = { settings, metrics, turn, counters };
    this.#room = new WaitingRoom<C>({
      ...common,
      deadlocks,
      isExhausted: (leases) => this.#stock.isExhausted(leases),
      timeoutError: (timeout, waited) => this.#timedOut(timeout, waited),
      onLeft: () => this.#changed(),
    });
    const stock = new Stock<C>({
      ...common,
      room: this.#room,
      onChanged: () => this.#changed(),
      onCreateFailed: (error) => this.#createFailed(error),
    });
    this.#stock = stock;
    this.#warmUps = new WarmUps(settings, stock);
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
   * QueueFullError when `maxWaiting` others wait, with PoolDeadlockError (see `detectDeadlocks`), with ClosedError after `close()`, and
   * with `signal.reason` on abort. O(1).
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    try {
      const trace = this.#traces ? new AcquireTrace() : undefined;
      const free = this.#begin(options, trace);
      return free === undefined ? this.#wait(options ?? NO_OPTIONS, trace) : Promise.resolve(free);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Borrows a connection if one is free and nobody waits for it; waits for nothing. One that is to be validated, by a `validate` that takes
   * time, is not free: its validation is begun.
   *
   * @returns `undefined` when there is none
   * @throws ClosedError after `close()`
   */
  tryAcquire(): Lease<C> | undefined {
    return this.#begin(undefined, this.#traces ? new AcquireTrace() : undefined);
  }

  /**
   * Runs `fn` with a connection, and gives it back whatever happens; destroys it if `fn` threw an error that is fatal by `isFatal`.
   * When a connection is free `fn` is called before this returns. `signal` ends the wait for the connection, not `fn`. Rejects like
   * `acquire()`, or with what `fn` threw.
   */
  async use<R>(fn: (connection: C) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    checkFunction('fn', fn);
    const trace = this.#traces ? new AcquireTrace() : undefined;
    // Without a promise, and a turn of the microtask queue, where nothing is to be waited for.
    const lease = this.#begin(options, trace) ?? (await this.#wait(options ?? NO_OPTIONS, trace));
    try {
      const { connection } = lease;
      if (this.#deadlocks === undefined || trace === undefined) return await fn(connection);
      return await this.#deadlocks.run(trace, () => fn(connection));
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

  /** O(connections), and the quantiles of the waits. */
  stats(): Readonly<ConnectionPoolStats> {
    const { slots, counters, connector, bounds } = this.#stock;
    return {
      size: slots.size,
      idle: slots.count('idle'),
      inUse: slots.count('lent'),
      leases: slots.leases,
      creating: slots.count('creating') + slots.count('abandoned'),
      checking: slots.count('validating') + slots.count('resetting'),
      destroying: slots.count('destroying'),
      waiting: this.#room.size,
      ...bounds,
      ...counters,
      checkErrors: connector.checkErrors,
      ...this.#room.times.summary(counters.acquired),
    };
  }

  /**
   * Refuses new callers, serves those who wait, and destroys the connections as they are given back. After `timeout`, or at once with
   * `force`, those who still wait are turned off with a ClosedError, and lent connections are destroyed under their owners.
   *
   * Resolves when every connection is destroyed, and never rejects but for bad options; it settles at the latest twice `destroyTimeout`
   * after force was used: a connection may still come of a create that was given up, and take as long to die. A further call may ask for more haste; it returns the same promise.
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkCloseOptions(options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { force = false, timeout } = options;
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

  /** What `acquire()` does before it waits. Throws what refuses the caller; nothing if it is to wait. */
  #begin(options: AcquireOptions | undefined, trace: Error | undefined): Lease<C> | undefined {
    if (options !== undefined) {
      checkAcquireOptions(options);
      options.signal?.throwIfAborted();
    }
    if (this.#closing !== undefined) throw closedError(this.#settings.name);
    // Who waits already comes first, so that a connection that is just being validated is not overtaken.
    const slot = this.#room.size === 0 ? this.#stock.take() : undefined;
    if (slot === undefined) return undefined;
    this.#metrics.waited(0);
    return this.#stock.lend(slot, trace);
  }

  #wait(options: AcquireOptions, trace: Error | undefined): Promise<Lease<C>> {
    // Asked again: a synchronous `validate` of the user has run since.
    if (this.#closing !== undefined) return Promise.reject(closedError(this.#settings.name));
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const lease = this.#room.enter(options, trace);
    this.#stock.meet();
    return lease;
  }

  #timedOut(timeout: number, waited: number): AcquireTimeoutError {
    const { slots, failure, bounds } = this.#stock;
    return new AcquireTimeoutError(this.#settings.name, {
      timeout,
      waited,
      inUse: slots.count('lent'),
      waiting: this.#room.size,
      max: bounds.max,
      blocked: this.#deadlocks?.blocked.size,
      ...failure,
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
    if (this.#room.size > 0) return;
    this.#stock.giveUpCreates(closedError(this.#settings.name));
    if (this.#stock.slots.size > 0) return;
    this.#stock.stop();
    this.#room.stop();
    this.#turn.stop();
    this.#closing.finish();
  }

  #createFailed(error: unknown): void {
    const { onCreateError, name } = this.#settings;
    if (onCreateError === 'retry') return;
    while (this.#room.turnAway(new CreateFailedError(name, error))) if (onCreateError === 'reject-head') return;
  }

  #turnAway(): void {
    while (this.#room.size > 0) this.#room.turnAway(closedError(this.#settings.name));
  }

  #force(): void {
    this.#turnAway();
    this.#stock.giveUpCreates(closedError(this.#settings.name));
    this.#stock.endAll();
    this.#stock.pump();
  }
}
