import type { Connector } from './connector.ts';
import type { PoolMetrics } from './metrics.ts';
import type { Settings } from './options.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';
import type { Counters } from './stats.ts';

/** What a {@link Disposal} works with. */
export interface DisposalParts<C> {
  readonly settings: Settings<C>;
  readonly slots: Slots<C>;
  readonly connector: Connector<C>;
  readonly counters: Counters;
  readonly metrics: PoolMetrics;
  /** A place is free, some time after `destroy()` was called. */
  readonly onRoom: () => void;
}

/** Destroys connections that are out of service, and frees their places when that is done. */
export class Disposal<C> {
  readonly #parts: DisposalParts<C>;

  constructor(parts: DisposalParts<C>) {
    this.#parts = parts;
  }

  /** The place of `slot` is free when this returns, or later, which `onRoom` tells. */
  destroy(slot: Slot<C>): void {
    const { settings, connector, metrics, onRoom } = this.#parts;
    if (metrics.timesLife) metrics.lived(settings.clock.now() - slot.createdAt);
    const pending = connector.destroy(slot.connection as C);
    slot.connection = undefined;
    if (pending === undefined) {
      this.#free(slot);
      return;
    }
    void pending.then(() => {
      this.#free(slot);
      onRoom();
    });
  }

  #free(slot: Slot<C>): void {
    this.#parts.slots.remove(slot);
    this.#parts.counters.destroyed++;
  }
}
