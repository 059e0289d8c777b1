import { type Fence, Fences } from './fences.ts';
import type { Flight } from './flight.ts';
import type { Landing, LoadMember } from './load-group.ts';

/** What is being read and loaded: at most one load that newcomers can join for each key, and the fences of all work that means to write. */
export class InFlight<K, V> {
  readonly #flights = new Map<K, Flight<Landing<V>>>();
  readonly #fences = new Fences<K>();

  /** Keys being loaded. */
  get size(): number {
    return this.#flights.size;
  }

  flightOf(key: K): Flight<Landing<V>> | undefined {
    return this.#flights.get(key);
  }

  /** Makes `flight` the one that newcomers join. */
  enter(key: K, flight: Flight<Landing<V>>): void {
    this.#flights.set(key, flight);
  }

  /** Newcomers start a load of their own from now on. A flight that has been replaced stays out of its successor's way. */
  leave({ key, flight }: LoadMember<K, V>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  openFence(key: K): Fence {
    return this.#fences.open(key);
  }

  closeFence(key: K, fence: Fence): void {
    this.#fences.close(key, fence);
  }

  /** Nobody wants what this member loads. */
  abandon(member: LoadMember<K, V>): void {
    this.leave(member);
    this.#fences.abandon(member.key, member.fence);
  }

  /** `key` has changed: what is being loaded or read is for those who wait already, and not to be kept. */
  invalidate(key: K): void {
    this.#fences.break(key);
    const flight = this.#flights.get(key);
    this.#flights.delete(key);
    flight?.release(new Error('the value was changed while it was being refreshed'));
  }

  /** Every key has changed. */
  invalidateAll(): void {
    this.#fences.breakAll();
    const flights = [...this.#flights.values()];
    this.#flights.clear();
    for (const flight of flights)
      flight.release(new Error('the cache was cleared while the value was being refreshed'));
  }

  /** Gives up the loads that go on without callers. */
  release(reason: unknown): void {
    for (const flight of this.#flights.values()) flight.release(reason);
  }
}
