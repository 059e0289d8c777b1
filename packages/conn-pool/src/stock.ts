import { Connector } from './connector.ts';
import { Disposal } from './disposal.ts';
import { CallbackTimeoutError, ConnectionEvictedError } from './errors.ts';
import { Housekeeper } from './housekeeper.ts';
import { IdleShelf } from './idle-shelf.ts';
import type { Lease, Lender } from './lease.ts';
import { Lending } from './lending.ts';
import type { Loan } from './loan.ts';
import type { PoolMetrics } from './metrics.ts';
import { Opener, isLostEarly } from './opener.ts';
import type { Bounds, Settings } from './options.ts';
import type { Slot, SlotState } from './slot.ts';
import { Slots } from './slots.ts';
import type { Counters } from './stats.ts';
import type { TurnClock } from './turn-clock.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** What a {@link Stock} works with. */
export interface StockParts<C> {
  readonly settings: Settings<C>;
  readonly turn: TurnClock;
  readonly metrics: PoolMetrics;
  readonly counters: Counters;
  /** Those the connections are for. */
  readonly room: WaitingRoom<C>;
  /** Connections came or went. */
  readonly onChanged: () => void;
  /** A connection could not be created. */
  readonly onCreateFailed: (error: unknown) => void;
}

/** The states of a connection that serves, or could. */
const SERVING: ReadonlySet<SlotState> = new Set(['idle', 'validating', 'lent', 'resetting']);

/**
 * The connections of a pool: opens, checks, keeps and ends them, and lends each that is free to whoever is next.
 *
 * Two rules hold whenever none of its methods runs: while somebody waits there is no connection that could be lent; and whatever frees
 * a place or a connection ends in {@link Stock.pump}, so that no wake-up is lost.
 */
export class Stock<C> implements Lender<C> {
  readonly slots: Slots<C> = new Slots();
  readonly counters: Counters;
  readonly connector: Connector<C>;
  readonly #settings: Settings<C>;
  readonly #room: WaitingRoom<C>;
  readonly #metrics: PoolMetrics;
  readonly #onChanged: () => void;
  readonly #lending: Lending<C>;
  readonly #idle: IdleShelf<C>;
  readonly #opener: Opener<C>;
  readonly #disposal: Disposal<C>;
  readonly #housekeeper: Housekeeper<C>;
  #bounds: Bounds;
  #keepsIdle = true;
  #paused = false;
  /**
   * A connection did not answer in time, and nothing has proved to work since: the others may be as dead. Who waits is not made to wait for one
   * after the other then: all are validated at once, and one is opened besides.
   */
  #isSilent = false;
  #pumping = false;
  #pumpAgain = false;

  constructor(parts: StockParts<C>) {
    const { settings, room, metrics, counters, onChanged, onCreateFailed } = parts;
    this.#settings = settings;
    this.#room = room;
    this.#metrics = metrics;
    this.counters = counters;
    this.#onChanged = onChanged;
    this.#bounds = { min: settings.min, max: settings.max };
    this.connector = new Connector(settings);
    const common = { ...parts, slots: this.slots, connector: this.connector };
    this.#lending = new Lending<C>({ ...common, lender: this, isPaused: () => this.#paused });
    this.#idle = new IdleShelf<C>({ ...common, onIdle: (slot, now) => this.#housekeeper.becameIdle(slot, now) });
    this.#opener = new Opener<C>({
      ...common,
      onOpened: (slot, took) => this.#opened(slot, took),
      onFailed: onCreateFailed,
      onRoom: () => this.pump(),
      onLost: (slot, reason) => this.#lost(slot, reason),
    });
    this.#disposal = new Disposal<C>({ ...common, onRoom: () => this.pump() });
    this.#housekeeper = new Housekeeper<C>({
      ...common,
      idle: this.#idle.list,
      validate: (slot) => this.#validate(slot),
      bounds: () => this.#kept(),
      onSurplus: (slots) => this.#end(slots),
      onProbed: (slot, healthy) => this.#probed(slot, healthy),
      onDone: () => this.pump(),
    });
  }

  get name(): string {
    return this.#settings.name;
  }

  /** How many connections are kept, and how many there may be. */
  get bounds(): Bounds {
    return this.#bounds;
  }

  /** Whether nothing is lent and nothing opened. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The last error of `create`, as `cause`, while the peer cannot be reached. */
  get failure(): ErrorOptions | undefined {
    return this.#opener.failure;
  }

  /**
   * Takes a connection that may be lent now. Validates those that were idle for long; one whose validation takes time is offered when it
   * is over.
   */
  take(): Slot<C> | undefined {
    return (this.#paused ? undefined : this.#lending.share()) ?? this.#takeIdle();
  }

  #takeIdle(): Slot<C> | undefined {
    while (!this.#paused) {
      const slot = this.#idle.take();
      if (slot === undefined || !this.#idle.isStale(slot)) return slot;
      this.slots.move(slot, 'validating');
      const healthy = this.#validate(slot);
      if (typeof healthy !== 'boolean') {
        void healthy.then((answer) => this.#checked(slot, answer));
        return undefined;
      }
      // The callback may have called the pool, or told that the connection is lost.
      if (slot.state !== 'validating') continue;
      if (healthy && !this.#paused) {
        // Who asked in the callback counted on this connection, which somebody else gets.
        if (this.#room.size > 0) queueMicrotask(() => this.pump());
        return slot;
      }
      this.#checked(slot, healthy);
    }
    return undefined;
  }

  /** Lends `slot`, which `take()` gave. @param trace where it was asked for, if leaks are watched */
  lend(slot: Slot<C>, trace: Error | undefined): Lease<C> {
    return this.#lending.lend(slot, trace);
  }

  /** A lease of `slot` has ended. */
  takeBack(slot: Slot<C>, loan: Loan | undefined): void {
    slot.uses++;
    this.#opener.proven(slot);
    if (slot.uses >= this.#settings.maxUses) this.slots.lose(slot);
    if (!this.#lending.end(slot, loan)) {
      this.#lending.serveFromShared();
      return;
    }
    // Told of the late return of a leak, `onLeak` may have closed the pool by force.
    if (slot.state !== 'lent') return;
    if (slot.lost || slot.retiring) {
      this.#end([slot]);
      return;
    }
    if (this.#settings.reset === undefined) {
      this.#offer(slot);
      return;
    }
    this.slots.move(slot, 'resetting');
    const fit = this.connector.reset(slot.connection as C, (error) => this.#diesOf(slot, error));
    if (typeof fit === 'boolean') this.#checked(slot, fit);
    else void fit.then((answer) => this.#checked(slot, answer));
  }

  discard(slot: Slot<C>, loan: Loan | undefined, reason: unknown): void {
    const isFree = this.#lending.end(slot, loan);
    this.#dies(slot, reason);
    // Asked, `isFailover` may have called the pool, and closed it by force.
    if (isFree && slot.state === 'lent') this.#end([slot]);
    else this.pump();
    if (reason !== undefined) this.connector.report(reason, 'use');
  }

  /** Somebody has begun to wait. */
  meet(): void {
    // As most often when a busy pool is asked: the only thing to do is to wait.
    if (this.#idle.size > 0 || this.slots.size < this.#bounds.max) this.pump();
  }

  /** Gives what is free to those who wait, and opens what is missing. */
  pump(): void {
    // Callbacks run in here may lead back here; a loop instead of recursion, however many connections they fail.
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#pumpAgain) {
      this.#pumpAgain = false;
      if (this.#paused) break;
      this.#serveFromIdle();
      // Asked again: `validate` may have paused the pool.
      if (!this.#paused) this.#opener.meet(this.#demand(), this.#kept());
    }
    this.#pumping = false;
    this.#onChanged();
  }

  /** Whether no connection becomes free unless one of the leases ends, of which there are `leases`. */
  isExhausted(leases: number): boolean {
    const { size } = this.slots;
    const isFull = size >= this.#bounds.max && this.slots.count('lent') === size;
    return isFull && this.slots.leases === leases && this.#lending.share() === undefined;
  }

  /** Ends every idle connection. Returns how many. */
  evictIdle(): number {
    const idle = [...this.#idle.list];
    this.#end(idle);
    return idle.length;
  }

  /** Ends every connection made until now, the lent ones when they come back. Returns how many. */
  evictAll(): number {
    // First, since each connection that goes makes room for a new one, which is to stay.
    this.#opener.giveUp(new ConnectionEvictedError());
    const evicted = [...this.slots].filter((slot) => SERVING.has(slot.state) && !slot.lost);
    for (const slot of evicted) this.slots.lose(slot);
    this.#end(evicted.filter((slot) => slot.state !== 'lent'));
    return evicted.length;
  }

  resize(bounds: Bounds): void {
    this.#bounds = bounds;
    const crowd = this.slots.staying - bounds.max - this.#lending.leaving;
    if (crowd > 0) this.#end([...this.#idle.list].slice(0, crowd));
    // Asked anew: `destroy` may have resized the pool itself.
    const { max } = this.#bounds;
    const excess = this.slots.staying - max;
    if (excess > 0) this.#opener.giveUp(new ConnectionEvictedError(), excess);
    this.#lending.shed(max);
    this.#housekeeper.keepUp();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#housekeeper.keepUp();
  }

  /** From now on no connection is kept for later. */
  windDown(): void {
    this.#keepsIdle = false;
    this.evictIdle();
  }

  /** Ends the creates that nobody waits for. */
  giveUpCreates(reason: unknown): void {
    this.#opener.giveUp(reason);
  }

  /** Ends every connection, the lent ones too. */
  endAll(): void {
    this.#end([...this.slots].filter((slot) => SERVING.has(slot.state)));
  }

  stop(): void {
    this.#housekeeper.stop();
    this.#opener.stop();
    this.#lending.stop();
  }

  /** After this, each who waits has a validation under way, or nothing is free. */
  #serveFromIdle(): void {
    this.#lending.serveFromShared();
    const { maxLeasesPerConnection } = this.#settings;
    const isAwaited = (): boolean =>
      this.#room.size > (this.#isSilent ? 0 : this.slots.count('validating') * maxLeasesPerConnection);
    // Asked each time whether it is paused: `validate` may pause it.
    while (!this.#paused && this.#idle.size > 0 && isAwaited()) {
      const slot = this.#takeIdle();
      if (slot !== undefined) this.#offer(slot);
    }
  }

  /** How many connections those who wait need, of which those on the way are a part. */
  #demand(): number {
    const wanted = Math.ceil(this.#room.size / this.#settings.maxLeasesPerConnection);
    return this.#isSilent ? wanted + this.slots.count('validating') : wanted;
  }

  /** What the pool is to keep up now, and may have. */
  #kept(): Bounds {
    return this.#keepsIdle ? this.#bounds : { min: 0, max: this.#bounds.max };
  }

  /** Whether there are more connections than there may be since a resize. */
  #isCrowded(): boolean {
    const excess = this.slots.staying - this.#bounds.max;
    return excess > 0 && excess > this.#lending.leaving;
  }

  /** A connection is free, and good: to whoever waits, or idle. */
  #offer(slot: Slot<C>): void {
    if (this.#isCrowded()) {
      this.#end([slot]);
      return;
    }
    if (this.#room.size > 0 && !this.#paused) {
      this.#lending.serve(slot);
      // One that is used up or old is not shared, and has served fewer than had counted on it.
      if (this.#settings.maxLeasesPerConnection > 1) this.meet();
      return;
    }
    if (!this.#keepsIdle || slot.lost || slot.retiring) {
      this.#end([slot]);
      return;
    }
    this.slots.park(slot);
    this.#idle.put(slot);
  }

  /** Keeping a connection alive is no use of it: it goes back to where it was in the order of idleness. */
  #probed(slot: Slot<C>, healthy: boolean): void {
    if (healthy) this.#isSilent = false;
    const isWanted = this.#room.size > 0 && !this.#paused;
    if (!healthy || isWanted || !this.#keepsIdle || slot.retiring || this.#isCrowded()) {
      this.#checked(slot, healthy);
      return;
    }
    this.slots.move(slot, 'idle');
    this.#idle.putBack(slot);
  }

  #checked(slot: Slot<C>, fit: boolean): void {
    if (slot.state !== 'validating' && slot.state !== 'resetting') return;
    if (!fit) {
      this.#end([slot]);
      return;
    }
    this.#isSilent = false;
    this.#offer(slot);
  }

  #opened(slot: Slot<C>, took: number): void {
    this.#isSilent = false;
    this.#metrics.created(took);
    this.#housekeeper.adopt(slot);
    this.#offer(slot);
    if (this.slots.retiring > 0) this.#housekeeper.keepUp();
    else this.pump();
  }

  #lost(slot: Slot<C>, reason: unknown): void {
    if (slot.lost || slot.state === 'destroying' || slot.state === 'gone') return;
    // The waits first: `onError` may ask for the next connection at once.
    if (isLostEarly(slot, this.#settings.clock.now())) this.#opener.lostEarly(reason);
    this.#dies(slot, reason);
    // A lent one goes when its lease ends.
    if (slot.state === 'lent') this.pump();
    else if (SERVING.has(slot.state)) this.#end([slot]);
    this.connector.report(reason, 'connection');
  }

  #validate(slot: Slot<C>): boolean | Promise<boolean> {
    return this.connector.validate(slot.connection as C, (error) => this.#diesOf(slot, error));
  }

  /** `validate` or `reset` failed with `error`; unless it has gone meanwhile, the caller ends it. */
  #diesOf(slot: Slot<C>, error: unknown): void {
    if (error instanceof CallbackTimeoutError) this.#isSilent = true;
    if (slot.state === 'validating' || slot.state === 'resetting') this.#dies(slot, error);
  }

  /** It is not lent again. Older ones that die of the same are out of service by then, so that they do not take the new ones with them. */
  #dies(slot: Slot<C>, reason: unknown): void {
    const first = !slot.lost;
    this.slots.lose(slot);
    if (first && reason !== undefined && this.connector.isFailover(reason)) this.evictAll();
  }

  /**
   * Takes connections out of service and destroys them; their places are free when that is done. All are out before the first `destroy`, which
   * may ask the pool for another. Those who counted on them go on at once: a connection may take long to die.
   */
  #end(slots: readonly Slot<C>[]): void {
    for (const slot of slots) {
      if (slot.state === 'idle') this.#idle.list.remove(slot);
      this.slots.condemn(slot);
    }
    for (const slot of slots) this.#disposal.destroy(slot);
    this.pump();
  }
}
