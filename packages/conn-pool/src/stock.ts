import { Alarm } from './alarm.ts';
import { Connector } from './connector.ts';
import { reportLeak, stackOf } from './leak-watch.ts';
import { lifetimeFrom } from './lifetime.ts';
import { LinkedList } from './linked-list.ts';
import type { PoolMetrics } from './metrics.ts';
import { Opener, isLostEarly } from './opener.ts';
import type { Settings } from './options.ts';
import type { Slot } from './slot.ts';
import { Slots } from './slots.ts';
import { type Counters, zeroCounters } from './stats.ts';
import { upkeep } from './upkeep.ts';

/** Those the connections are for. */
export interface Customers<C> {
  /** How many wait. */
  readonly waiting: number;
  /** Lends `slot` to the one that is next; called only while somebody waits. */
  serve(slot: Slot<C>): void;
  /** Connections came or went. */
  changed(): void;
}

/**
 * The connections of a pool: opens, checks, keeps and ends them, and offers each that is free to the customers.
 *
 * Two rules hold whenever none of its methods runs: while somebody waits no connection is idle that could be lent; and whatever frees
 * a place or a connection ends in {@link Stock.pump}, so that no wake-up is lost.
 */
export class Stock<C> {
  readonly slots: Slots<C> = new Slots();
  readonly counters: Counters = zeroCounters();
  readonly connector: Connector<C>;
  readonly #settings: Settings<C>;
  readonly #customers: Customers<C>;
  readonly #metrics: PoolMetrics;
  readonly #opener: Opener<C>;
  readonly #alarm: Alarm = new Alarm(() => this.#keepUp());
  /** In the order they became idle. */
  readonly #idle = new LinkedList<Slot<C>>();
  readonly #tracksIdle: boolean;
  readonly #watchesLeaks: boolean;
  #min: number;
  #keepsIdle = true;
  #pumping = false;
  #pumpAgain = false;

  constructor(settings: Settings<C>, customers: Customers<C>, metrics: PoolMetrics) {
    this.#settings = settings;
    this.#customers = customers;
    this.#metrics = metrics;
    this.#min = settings.min;
    this.#tracksIdle = settings.validate !== undefined || settings.idleTimeout < Infinity;
    this.#watchesLeaks = settings.leakThreshold < Infinity;
    this.connector = new Connector(settings);
    const { slots, connector, counters } = this;
    this.#opener = new Opener<C>({
      settings,
      slots,
      connector,
      counters,
      onOpened: (slot, took) => this.#opened(slot, took),
      onRoom: () => this.pump(),
      onLost: (slot, reason) => this.#lost(slot, reason),
    });
  }

  /** The last error of `create`, while the peer cannot be reached. */
  get lastError(): unknown {
    return this.#opener.lastError;
  }

  /** Takes an idle connection that may be lent now. Validates those that were idle for long; one whose validation takes time is offered when it is over. */
  take(): Slot<C> | undefined {
    const { order } = this.#settings;
    for (;;) {
      const slot = order === 'lifo' ? this.#idle.pop() : this.#idle.shift();
      if (slot === undefined) return undefined;
      if (!this.#needsValidation(slot)) return slot;
      this.slots.move(slot, 'validating');
      const healthy = this.connector.validate(slot.connection as C);
      if (typeof healthy !== 'boolean') {
        void healthy.then((answer) => this.#checked(slot, answer));
        return undefined;
      }
      // The callback may have called the pool, or told that the connection is lost.
      if (slot.state !== 'validating') continue;
      if (healthy) return slot;
      this.#end(slot);
    }
  }

  /** Marks `slot`, which `take()` or `serve()` gave, as lent. */
  lend(slot: Slot<C>, trace: Error | undefined): void {
    this.slots.move(slot, 'lent');
    this.counters.acquired++;
    if (!this.#watchesLeaks && !this.#metrics.timesUse) return;
    const now = this.#settings.clock.now();
    slot.lentAt = now;
    slot.trace = trace;
    slot.leakReported = false;
    if (this.#watchesLeaks) this.#alarm.set(now + this.#settings.leakThreshold, now);
  }

  /** The lease of `slot` has ended. */
  takeBack(slot: Slot<C>): void {
    this.#leaseEnded(slot);
    slot.uses++;
    this.#opener.proven();
    if (slot.lost || slot.retiring) {
      this.#end(slot);
      return;
    }
    if (this.#settings.reset === undefined) {
      this.#offer(slot);
      return;
    }
    this.slots.move(slot, 'resetting');
    const fit = this.connector.reset(slot.connection as C);
    if (typeof fit === 'boolean') this.#checked(slot, fit);
    else void fit.then((answer) => this.#checked(slot, answer));
  }

  discard(slot: Slot<C>, reason: unknown): void {
    this.#leaseEnded(slot);
    if (reason !== undefined) this.connector.report(reason, 'use');
    this.#end(slot);
  }

  /** Gives what is free to those who wait, and opens what is missing. */
  pump(): void {
    // Callbacks run in here may lead back here; a loop instead of recursion, however many connections they fail.
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#pumpAgain) {
      this.#pumpAgain = false;
      this.#serveFromIdle();
      this.#opener.meet(this.#customers.waiting, this.#min);
    }
    this.#pumping = false;
    this.#customers.changed();
  }

  /** Ends every idle connection. Returns how many. */
  evictIdle(): number {
    const idle = [...this.#idle];
    for (const slot of idle) if (slot.state === 'idle') this.#end(slot);
    return idle.length;
  }

  /** From now on no connection is kept for later. */
  windDown(): void {
    this.#keepsIdle = false;
    this.#min = 0;
    this.evictIdle();
  }

  /** Ends the creates that nobody waits for. */
  giveUpCreates(reason: unknown): void {
    this.#opener.giveUpAll(reason);
  }

  /** Ends every connection, the lent ones too. */
  endAll(): void {
    for (const slot of this.slots) {
      const { state } = slot;
      if (state === 'idle' || state === 'validating' || state === 'lent' || state === 'resetting') this.#end(slot);
    }
  }

  stop(): void {
    this.#alarm.clear();
    this.#opener.stop();
  }

  /** After this, each who waits has a validation under way, or nothing is idle. */
  #serveFromIdle(): void {
    while (this.#idle.size > 0 && this.#customers.waiting > this.slots.count('validating')) {
      const slot = this.take();
      if (slot !== undefined) this.#offer(slot);
    }
  }

  #needsValidation(slot: Slot<C>): boolean {
    const { validate, validateAfterIdle, clock } = this.#settings;
    return validate !== undefined && clock.now() - slot.idleSince >= validateAfterIdle;
  }

  /** A connection is free, and good: to whoever waits, or idle. */
  #offer(slot: Slot<C>): void {
    if (this.#customers.waiting > 0) {
      this.#customers.serve(slot);
      return;
    }
    if (!this.#keepsIdle || slot.lost || slot.retiring) {
      this.#end(slot);
      return;
    }
    this.slots.move(slot, 'idle');
    this.#idle.push(slot);
    if (!this.#tracksIdle) return;
    const now = this.#settings.clock.now();
    slot.idleSince = now;
    this.#alarm.set(now + this.#settings.idleTimeout, now);
  }

  #checked(slot: Slot<C>, fit: boolean): void {
    if (slot.state !== 'validating' && slot.state !== 'resetting') return;
    if (fit) this.#offer(slot);
    else this.#end(slot);
  }

  #opened(slot: Slot<C>, took: number): void {
    const { maxLifetime, clock } = this.#settings;
    this.#metrics.created(took);
    if (maxLifetime < Infinity) {
      const { retireAt, dieAt } = lifetimeFrom(slot.createdAt, maxLifetime, Math.random());
      slot.retireAt = retireAt;
      slot.dieAt = dieAt;
      this.#alarm.set(retireAt, clock.now());
    }
    this.#offer(slot);
    if (this.slots.retiring > 0) this.#keepUp();
    else this.pump();
  }

  #lost(slot: Slot<C>, reason: unknown): void {
    if (slot.lost || slot.state === 'destroying' || slot.state === 'gone') return;
    slot.lost = true;
    this.connector.report(reason, 'connection');
    if (isLostEarly(slot, this.#settings.clock.now())) this.#opener.lostEarly(reason);
    if (slot.state !== 'lent') this.#end(slot);
  }

  #leaseEnded(slot: Slot<C>): void {
    if (Number.isNaN(slot.lentAt)) return;
    this.#metrics.used(this.#settings.clock.now() - slot.lentAt);
    slot.lentAt = NaN;
    slot.trace = undefined;
  }

  /** Takes a connection out of service and destroys it; its place is free when that is done. */
  #end(slot: Slot<C>): void {
    if (slot.state === 'idle') this.#idle.remove(slot);
    this.slots.condemn(slot);
    const pending = this.connector.destroy(slot.connection as C);
    slot.connection = undefined;
    if (pending === undefined) this.#gone(slot);
    else void pending.then(() => this.#gone(slot));
  }

  #gone(slot: Slot<C>): void {
    this.slots.remove(slot);
    this.counters.destroyed++;
    this.pump();
  }

  /** What time brings: connections grow old or superfluous, leases become leaks. */
  #keepUp(): void {
    const { clock, max, idleTimeout, leakThreshold } = this.#settings;
    const now = clock.now();
    const rules = { now, min: this.#min, max, idleTimeout, leakThreshold };
    const { surplus, leaks, next } = upkeep(this.slots, this.#idle, rules);
    this.#alarm.set(next, now);
    for (const slot of leaks) this.#leaked(slot, now);
    for (const slot of surplus) if (slot.state === 'idle') this.#end(slot);
    this.pump();
  }

  #leaked(slot: Slot<C>, now: number): void {
    const { name, onLeak } = this.#settings;
    slot.leakReported = true;
    this.counters.leaks++;
    reportLeak({ pool: name, heldFor: now - slot.lentAt, stack: stackOf(slot.trace) }, onLeak);
  }
}
