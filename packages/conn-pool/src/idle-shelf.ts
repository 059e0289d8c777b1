import { LinkedList } from './linked-list.ts';
import type { Settings } from './options.ts';
import type { Slot } from './slot.ts';
import type { TurnClock } from './turn-clock.ts';
import { heardFrom } from './upkeep.ts';

/** What an {@link IdleShelf} works with. */
export interface IdleShelfParts<C> {
  readonly settings: Settings<C>;
  readonly turn: TurnClock;
  /** `slot` is to be looked after, from `now` on. */
  readonly onIdle: (slot: Slot<C>, now: number) => void;
}

/** The idle connections. */
export class IdleShelf<C> {
  /** In the order they became idle. */
  readonly list: LinkedList<Slot<C>> = new LinkedList();
  readonly #parts: IdleShelfParts<C>;
  readonly #isLifo: boolean;
  /** Whether anybody will ask since when they are idle. */
  readonly #isTimed: boolean;

  constructor(parts: IdleShelfParts<C>) {
    const { order, validate, idleTimeout } = parts.settings;
    this.#parts = parts;
    this.#isLifo = order === 'lifo';
    this.#isTimed = validate !== undefined || idleTimeout < Infinity;
    if (this.#isTimed) parts.turn.onLook((now) => this.#looked(now));
  }

  get size(): number {
    return this.list.size;
  }

  /** Takes the one to be lent next. */
  take(): Slot<C> | undefined {
    return this.#isLifo ? this.list.pop() : this.list.shift();
  }

  put(slot: Slot<C>): void {
    this.list.push(slot);
    if (!this.#isTimed) return;
    const now = this.#parts.turn.read();
    slot.idleSince = now;
    if (now < Infinity) this.#parts.onIdle(slot, now);
  }

  /** Puts `slot` where it was before it was taken. */
  putBack(slot: Slot<C>): void {
    let next: Slot<C> | undefined;
    for (const each of this.list) {
      if (each.idleSince <= slot.idleSince) continue;
      next = each;
      break;
    }
    this.list.insertBefore(next, slot);
  }

  /** Whether `slot` was idle for so long that it is to be validated before it is lent. */
  isStale(slot: Slot<C>): boolean {
    const { validate, validateAfterIdle, clock } = this.#parts.settings;
    if (validate === undefined) return false;
    if (validateAfterIdle === 0) return true;
    // Not known since when: since a moment ago, in this turn of the event loop.
    return slot.idleSince < Infinity && clock.now() - heardFrom(slot) >= validateAfterIdle;
  }

  /** Those that became idle without knowing when did no later than `now`. */
  #looked(now: number): void {
    for (let slot = this.list.last; slot?.idleSince === Infinity; slot = slot.previous) {
      slot.idleSince = now;
      this.#parts.onIdle(slot, now);
    }
  }
}
