import { Alarm } from './alarm.ts';
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
  /** Takes an idle connection out, for good or to look at it. */
  readonly onSurplus: (slot: Slot<C>) => void;
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

  /** Looks at everything at `at`, at the latest. */
  callAt(at: number, now: number): void {
    this.#alarm.set(at, now);
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
    for (const slot of surplus) if (slot.state === 'idle') onSurplus(slot);
    for (const slot of fading) this.#keepAlive(slot);
    onDone();
  }

  /** The time until `slot` is to be validated, new dice each time: connections made together are not all looked at together. */
  pace(slot: Slot<C>): void {
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
      this.pace(slot);
      this.#alarm.set(now + slot.keepaliveAfter, now);
      this.#parts.onProbed(slot, healthy);
    }
    if (later) this.keepUp();
  }
}
