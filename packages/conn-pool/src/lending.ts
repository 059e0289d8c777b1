import { Lease, type Lender } from './lease.ts';
import type { Loan } from './loan.ts';
import { Loans } from './loans.ts';
import type { PoolMetrics } from './metrics.ts';
import type { Settings } from './options.ts';
import { Sharing } from './sharing.ts';
import { Slot } from './slot.ts';
import type { Slots } from './slots.ts';
import type { Counters } from './stats.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** What {@link Lending} works with. */
export interface LendingParts<C> {
  readonly settings: Settings<C>;
  readonly slots: Slots<C>;
  readonly counters: Counters;
  readonly metrics: PoolMetrics;
  /** Those the connections are for. */
  readonly room: WaitingRoom<C>;
  readonly lender: Lender<C>;
  /** Whether nothing is to be lent at the moment. */
  readonly isPaused: () => boolean;
}

/** Who has which connection: begins and ends leases, and knows which lent connections have room for one more. */
export class Lending<C> {
  readonly #parts: LendingParts<C>;
  readonly #slots: Slots<C>;
  readonly #counters: Counters;
  readonly #lender: Lender<C>;
  readonly #loans: Loans;
  /** Only where a connection serves several leases at once. */
  readonly #sharing: Sharing<C> | undefined;
  /** As in the waiting room: it keeps what V8 has learned of leases. */
  readonly #specimen: Lease<C>;

  constructor(parts: LendingParts<C>) {
    const { settings, slots, counters, lender } = parts;
    this.#parts = parts;
    this.#slots = slots;
    this.#counters = counters;
    this.#lender = lender;
    this.#loans = new Loans(parts);
    this.#sharing = settings.maxLeasesPerConnection > 1 ? new Sharing(settings) : undefined;
    this.#specimen = new Lease<C>(lender, new Slot(), undefined);
  }

  /** Lends `slot`, which is free and good. @param trace where it was asked for, if leaks are watched */
  lend(slot: Slot<C>, trace: Error | undefined): Lease<C> {
    this.#slots.lend(slot);
    this.#counters.acquired++;
    slot.leases++;
    this.#sharing?.update(slot);
    return new Lease<C>(this.#lender, slot, this.#loans.begin(trace));
  }

  /** A lease of `slot` has ended. Returns whether it was the last one. */
  end(slot: Slot<C>, loan: Loan | undefined): boolean {
    if (loan !== undefined) this.#loans.end(loan);
    slot.leases--;
    this.#sharing?.update(slot);
    return slot.leases === 0;
  }

  /** A lent connection that serves one more. */
  share(): Slot<C> | undefined {
    return this.#sharing?.pick();
  }

  /** Lends `slot`, which is free and good, to those who are next, as far as it goes. Somebody waits. */
  serve(slot: Slot<C>): void {
    this.#serveOne(slot);
    if (this.#sharing !== undefined) this.serveFromShared();
  }

  /** Serves those who wait from the lent connections that have room. */
  serveFromShared(): void {
    const { room, isPaused } = this.#parts;
    if (this.#sharing === undefined) return;
    while (room.size > 0 && !isPaused()) {
      const slot = this.#sharing.pick();
      if (slot === undefined) return;
      this.#serveOne(slot);
    }
  }

  /** How many shared connections are on their way out: none that comes back needs to go in their place. */
  get leaving(): number {
    return this.#sharing?.leaving(this.#slots) ?? 0;
  }

  /** There are no more than `max` connections to be from now on. */
  shed(max: number): void {
    this.#sharing?.shed(this.#slots, max);
  }

  stop(): void {
    this.#loans.stop();
    // Held to be held; somebody has to read it.
    void this.#specimen;
  }

  #serveOne(slot: Slot<C>): void {
    const waiter = this.#parts.room.next();
    if (waiter !== undefined) waiter.resolve(this.lend(slot, waiter.terms?.trace));
  }
}
