import { type Timer, startTimer } from '@perf/core';
import { Attempt } from './attempt.ts';
import { retryDelay } from './backoff.ts';
import type { Connector } from './connector.ts';
import { ConnectionLostError } from './errors.ts';
import type { Bounds, Settings } from './options.ts';
import { Slot } from './slot.ts';
import type { Slots } from './slots.ts';
import { createsToStart } from './sizing.ts';
import type { Counters } from './stats.ts';

/** A connection that lives shorter than this, in milliseconds, and was never used, is taken for one that could not be opened. */
const EARLY = 5_000;

/** What an {@link Opener} works with. */
export interface OpenerParts<C> {
  readonly settings: Settings<C>;
  readonly slots: Slots<C>;
  readonly connector: Connector<C>;
  readonly counters: Counters;
  /** A connection is there; `took` is how long that lasted, in milliseconds. */
  readonly onOpened: (slot: Slot<C>, took: number) => void;
  /** A create has failed; called before its place is free. */
  readonly onFailed: (error: unknown) => void;
  /** A place is free, or a new try is allowed. */
  readonly onRoom: () => void;
  /** The connection of an opened slot has died. */
  readonly onLost: (slot: Slot<C>, reason: unknown) => void;
}

/**
 * Opens connections as they are needed, and backs off while that fails: after a failure it waits, and then tries one at a time until
 * one succeeds.
 */
export class Opener<C> {
  readonly #parts: OpenerParts<C>;
  readonly #attempts = new Map<Slot<C>, Attempt<C>>();
  /** In a row; a connection that was used resets it, one that was merely opened does not: it may be lost at once, again and again. */
  #failures = 0;
  #down = false;
  #failure: ErrorOptions | undefined;
  #retry: Timer | undefined;

  constructor(parts: OpenerParts<C>) {
    this.#parts = parts;
  }

  /** The last error of `create`, whatever it is, as `cause`, while the peer cannot be reached. */
  get failure(): ErrorOptions | undefined {
    return this.#down ? this.#failure : undefined;
  }

  /** Begins as many creates as are wanted and allowed now. */
  meet(waiting: number, { min, max }: Bounds): void {
    if (this.#retry !== undefined) return;
    const { slots, settings } = this.#parts;
    const starts = createsToStart({
      waiting,
      min,
      onTheWay: slots.onTheWay,
      lasting: slots.lasting,
      size: slots.size,
      creating: slots.count('creating'),
      max,
      limit: this.#down ? 1 : settings.maxConcurrentCreates,
    });
    // All are counted before the first `create` runs, which may call the pool.
    const batch = Array.from({ length: starts }, () => this.#prepare());
    for (const attempt of batch) attempt.start();
  }

  /**
   * The connection of `slot` has proved good. That says something of the peer only if its create began after the last failure: a server that
   * has no room for more serves those it has.
   */
  proven(slot: Slot<C>): void {
    if (this.#failures > 0 && slot.failuresBefore === this.#parts.counters.createErrors) this.#failures = 0;
  }

  /** A connection nobody had used yet died, or so soon that opening the next one at once would be a loop. */
  lostEarly(reason: unknown): void {
    this.#failed(new ConnectionLostError({ cause: reason }));
  }

  /** Nobody needs what is being created; of `count` attempts, those that began last. */
  giveUp(reason: unknown, count: number = Infinity): void {
    // A copy: who listens to the signal may call the pool.
    let left = count;
    for (const [slot, attempt] of [...this.#attempts].toReversed()) {
      if (slot.state !== 'creating') continue;
      if (left-- <= 0) return;
      this.#parts.slots.move(slot, 'abandoned');
      attempt.giveUp(reason);
    }
  }

  stop(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #prepare(): Attempt<C> {
    const { settings, slots, connector, counters, onFailed, onRoom, onLost } = this.#parts;
    const slot = new Slot<C>();
    slot.failuresBefore = counters.createErrors;
    const began = settings.clock.now();
    const attempt: Attempt<C> = new Attempt<C>(connector, settings, {
      opened: (connection) => this.#opened(slot, connection, began),
      failed: (error) => {
        if (slot.state === 'creating') slots.move(slot, 'abandoned');
        // The waits first: `onError` may ask for the next connection at once.
        this.#failed(error);
        onFailed(error);
        connector.report(error, 'create');
      },
      ended: () => {
        this.#attempts.delete(slot);
        slots.remove(slot);
        onRoom();
      },
      late: () => {
        counters.created++;
        counters.destroyed++;
      },
      lost: (reason) => onLost(slot, reason),
    });
    slots.add(slot);
    this.#attempts.set(slot, attempt);
    return attempt;
  }

  #opened(slot: Slot<C>, connection: C, began: number): void {
    const now = this.#parts.settings.clock.now();
    this.#attempts.delete(slot);
    this.#parts.counters.created++;
    this.#down = false;
    slot.connection = connection;
    slot.createdAt = now;
    this.#parts.onOpened(slot, now - began);
  }

  #failed(error: unknown): void {
    this.#parts.counters.createErrors++;
    this.#failure = { cause: error };
    // Creates that ran together fail together: that is one failure, and one wait.
    if (this.#retry !== undefined) return;
    this.#failures++;
    this.#down = true;
    this.#retry = startTimer(
      () => {
        this.#retry = undefined;
        this.#parts.onRoom();
      },
      retryDelay(this.#failures, Math.random()),
      { unref: true },
    );
  }
}

/** Whether the loss of a connection is like a failure to open it. */
export function isLostEarly(slot: Slot<unknown>, now: number): boolean {
  return slot.uses === 0 && now - slot.createdAt < EARLY;
}
