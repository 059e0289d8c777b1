import { Alarm } from './alarm.ts';
import { lifetimeFrom } from './lifetime.ts';
import type { LinkedList } from './linked-list.ts';
import type { Bounds, Settings } from './options.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';
import type { TurnClock } from './turn-clock.ts';
import { upkeep } from './upkeep.ts';

/** What a {@link Housekeeper} works with. */
export interface HousekeeperParts<C> {
  readonly settings: Settings<C>;
  readonly slots: Slots<C>;
  /** In the order they became idle. */
  readonly idle: LinkedList<Slot<C>>;
  /** Whether `slot`, which is `validating`, works. */
  readonly validate: (slot: Slot<C>) => boolean | Promise<boolean>;
  /** The time of what becomes idle. */
  readonly turn: TurnClock;
  /** How many connections to keep at the moment, and how many there may be. */
  readonly bounds: () => Bounds;
  /** These idle connections are to go. */
  readonly onSurplus: (slots: readonly Slot<C>[]) => void;
  /** `slot`, which was `validating`, works or does not. */
  readonly onProbed: (slot: Slot<C>, healthy: boolean) => void;
  /** Something may be missing now. */
  readonly onDone: () => void;
}

/** Does what time brings: connections grow old or superfluous, or are to be kept alive. */
export class Housekeeper<C> {
  readonly #parts: HousekeeperParts<C>;
  readonly #alarm: Alarm = new Alarm(() => this.keepUp());
  #probing = 0;

  constructor(parts: HousekeeperParts<C>) {
    this.#parts = parts;
  }

  /** `slot` is idle since `now`. */
  becameIdle(slot: Slot<C>, now: number): void {
    this.#alarm.set(now + Math.min(this.#parts.settings.idleTimeout, slot.keepaliveAfter), now);
  }

  stop(): void {
    this.#alarm.clear();
  }

  /** Looks at everything now. */
  keepUp(): void {
    const { settings, slots, idle, turn, bounds, onSurplus, onDone } = this.#parts;
    const { idleTimeout } = settings;
    const now = turn.look();
    const { surplus, fading, next } = upkeep(slots, idle, { now, ...bounds(), idleTimeout });
    this.#alarm.set(next, now);
    if (surplus.length > 0) onSurplus(surplus);
    for (const slot of fading) this.#keepAlive(slot);
    onDone();
  }

  /** Throws the dice for a new connection. */
  adopt(slot: Slot<C>): void {
    const { maxLifetime, clock } = this.#parts.settings;
    this.#pace(slot);
    if (maxLifetime === Infinity) return;
    const { retireAt, dieAt } = lifetimeFrom(slot.createdAt, maxLifetime, Math.random());
    slot.retireAt = retireAt;
    slot.dieAt = dieAt;
    this.#alarm.set(retireAt, clock.now());
  }

  /** The time until `slot` is to be validated, new dice each time: connections made together are not all looked at together. */
  #pace(slot: Slot<C>): void {
    slot.keepaliveAfter = this.#parts.settings.keepaliveInterval * (1 - 0.2 * Math.random());
  }

  /** Those that there is no hand free for now are found again when one is. */
  #keepAlive(slot: Slot<C>): void {
    const { settings, slots, idle, validate } = this.#parts;
    if (slot.state !== 'idle' || this.#probing >= settings.maxConcurrentCreates) return;
    idle.remove(slot);
    slots.move(slot, 'validating');
    this.#probing++;
    const healthy = validate(slot);
    if (typeof healthy === 'boolean') this.#probed(slot, healthy);
    else void healthy.then((answer) => this.#probed(slot, answer, true));
  }

  #probed(slot: Slot<C>, healthy: boolean, later = false): void {
    this.#probing--;
    if (slot.state === 'validating') {
      const now = this.#parts.settings.clock.now();
      slot.provenAt = now;
      this.#pace(slot);
      this.#alarm.set(now + slot.keepaliveAfter, now);
      this.#parts.onProbed(slot, healthy);
    }
    if (later) this.keepUp();
  }
}
