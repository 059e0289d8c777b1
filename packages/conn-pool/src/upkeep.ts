import type { LinkedList } from './linked-list.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';

/** What {@link upkeep} goes by. */
export interface UpkeepRules {
  readonly now: number;
  readonly min: number;
  readonly max: number;
  readonly idleTimeout: number;
}

/** What {@link upkeep} found to be done. */
export interface UpkeepPlan<C> {
  /** Idle connections to destroy. */
  readonly surplus: readonly Slot<C>[];
  /** Idle connections to validate, to keep them alive; the one nobody heard from for longest comes first. */
  readonly fading: readonly Slot<C>[];
  /** When something will be due next. */
  readonly next: number;
}

/**
 * Marks the connections that are old enough at `now` as retiring, and finds which idle ones are to go or to be kept alive.
 * O(connections).
 */
export function upkeep<C>(slots: Slots<C>, idle: LinkedList<Slot<C>>, rules: UpkeepRules): UpkeepPlan<C> {
  let next = Infinity;
  for (const slot of slots) {
    if (slot.state === 'destroying' || slot.retiring) continue;
    if (slot.retireAt <= rules.now) slots.retire(slot);
    else next = Math.min(next, slot.retireAt);
  }
  const { surplus, next: idleNext } = surplusOf(slots, idle, rules);
  const { fading, next: fadingNext } = fadingOf(idle, rules.now);
  return { surplus, fading, next: Math.min(next, idleNext, fadingNext) };
}

function surplusOf<C>(
  slots: Slots<C>,
  idle: LinkedList<Slot<C>>,
  { now, min, max, idleTimeout }: UpkeepRules,
): Pick<UpkeepPlan<C>, 'surplus' | 'next'> {
  const surplus: Slot<C>[] = [];
  let { lasting } = slots;
  let next = Infinity;
  // The one that is idle for longest comes first.
  for (const slot of idle) {
    if (slot.retiring) {
      // Its replacement comes first, unless there is no need of one, no room, or no time left.
      if (lasting >= min || slots.size >= max || slot.dieAt <= now) surplus.push(slot);
      else next = Math.min(next, slot.dieAt);
    } else if (slot.idleSince + idleTimeout > now) {
      next = Math.min(next, slot.idleSince + idleTimeout);
    } else if (lasting > min) {
      surplus.push(slot);
      lasting--;
    }
  }
  return { surplus, next };
}

/** Those among the surplus too: they are gone before anybody looks at them. */
function fadingOf<C>(idle: LinkedList<Slot<C>>, now: number): Pick<UpkeepPlan<C>, 'fading' | 'next'> {
  const fading: Slot<C>[] = [];
  let next = Infinity;
  for (const slot of idle) {
    const due = heardFrom(slot) + slot.keepaliveAfter;
    if (due <= now) fading.push(slot);
    else next = Math.min(next, due);
  }
  return { fading: fading.toSorted((a, b) => heardFrom(a) - heardFrom(b)), next };
}

/** When the connection was last known to work. */
export function heardFrom(slot: Slot<unknown>): number {
  return Math.max(slot.idleSince, slot.provenAt);
}
