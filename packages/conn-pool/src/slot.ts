import type { Linked } from './linked-list.ts';

/**
 * Where a connection is in its life. Every state but `gone` takes one of the `max` places.
 *
 * creating -> idle | lent            idle -> validating | lent          validating -> idle | lent
 * lent -> resetting | idle | lent    resetting -> idle | lent           any of these -> destroying -> gone
 * creating -> abandoned -> gone      (its `create` has failed, or was given up and has not answered yet)
 */
export type SlotState = 'creating' | 'abandoned' | 'idle' | 'validating' | 'lent' | 'resetting' | 'destroying' | 'gone';

/** One of the `max` places, and the one connection that is ever in it. A place is not reused: a new connection gets a new slot. */
export class Slot<C> implements Linked<Slot<C>> {
  previous: Slot<C> | undefined;
  next: Slot<C> | undefined;

  /** Changed by {@link Slots} only, which counts. */
  state: SlotState = 'creating';
  connection: C | undefined;
  /** Grows when the pool takes the connection out of service: leases of before are void. */
  generation = 0;
  /** How many leases have ended well. */
  uses = 0;
  /** The connection told that it is dead; it is not lent again. */
  lost = false;
  /** Old enough to go as soon as it is not lent and a younger one is there. */
  retiring = false;

  createdAt = 0;
  /** How many creates had failed when its own began. */
  failuresBefore = 0;
  /** From when on it is retiring. */
  retireAt: number = Infinity;
  /** When it goes even though nothing replaces it. */
  dieAt: number = Infinity;
  /** `Infinity` while nobody asked, or knows yet: see `TurnClock`. */
  idleSince: number = Infinity;
  /** When `validate` said last that it works. */
  provenAt = 0;
  /** How long after its last use or proof it is validated to keep it alive. */
  keepaliveAfter: number = Infinity;
  /** How many leases are out. */
  leases = 0;
  /** Whether it is among those that serve one more lease while they are lent; kept by `Sharing`. */
  hasRoom = false;
}
