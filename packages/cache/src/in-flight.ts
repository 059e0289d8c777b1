import type { Clock } from '@perf/core';
import { type Fence, Fences } from './fences.ts';
import type { Flight } from './flight.ts';
import type { Landing, LoadMember } from './load-group.ts';
import type { TagHistory } from './tag-history.ts';

/** What is being read and loaded: at most one load that newcomers can join for each key, and the fences of all work that means to write. */
export class InFlight<K, V> {
  readonly #members = new Map<K, LoadMember<K, V>>();
  readonly #fences = new Fences<K>();
  readonly #history: TagHistory;
  readonly #clock: Clock;

  constructor({ history, clock }: { readonly history: TagHistory; readonly clock: Clock }) {
    this.#history = history;
    this.#clock = clock;
  }

  /** Keys being loaded. */
  get size(): number {
    return this.#members.size;
  }

  /**
   * The load of `key` that a newcomer may join. One that began before a tag of its value was invalidated has nothing to offer, nor has one whose value has expired while it is being
   * written to the store.
   */
  flightOf(key: K): Flight<Landing<V>> | undefined {
    const member = this.#members.get(key);
    if (member === undefined) return undefined;
    if (this.#mayHaveEnded(member)) {
      this.detach(key, 'a tag of the value was invalidated');
      return undefined;
    }
    if (member.freshUntil === Infinity || this.#clock.now() < member.freshUntil) return member.flight;
    // What its successor brings is newer.
    this.abandon(member);
    return undefined;
  }

  /** Makes this member's flight the one that newcomers join. */
  enter(member: LoadMember<K, V>): void {
    this.#members.set(member.key, member);
  }

  /** Newcomers start a load of their own from now on. A flight that has been replaced stays out of its successor's way. */
  leave(member: LoadMember<K, V>): void {
    if (this.#members.get(member.key) === member) this.#members.delete(member.key);
  }

  openFence(key: K): Fence {
    return this.#fences.open(key, this.#history.position);
  }

  closeFence(key: K, fence: Fence): void {
    this.#fences.close(key, fence);
  }

  /** Whether what was read or loaded behind this fence, and has these tags, may be kept. */
  mayKeep(fence: Fence, tags: readonly string[]): boolean {
    return !fence.broken && !this.#history.hasEnded(tags, fence.position);
  }

  /** Nobody wants what this member loads. */
  abandon(member: LoadMember<K, V>): void {
    this.leave(member);
    this.#fences.abandon(member.key, member.fence);
  }

  /** `key` has changed: what is being loaded or read is for those who wait already, and not to be kept. */
  invalidate(key: K): void {
    this.#fences.break(key);
    this.detach(key, 'the value was changed');
  }

  /** Every key has changed. */
  invalidateAll(): void {
    this.#fences.breakAll();
    for (const key of this.#members.keys()) this.detach(key, 'the cache was cleared');
  }

  /** What is being loaded is for those who wait already; a refresh that nobody waits for ends. */
  detach(key: K, why: string): void {
    const member = this.#members.get(key);
    this.#members.delete(key);
    member?.flight.release(new Error(`${why} while it was being refreshed`));
  }

  /** Gives up the loads that go on without callers. */
  release(reason: unknown): void {
    for (const { flight } of this.#members.values()) flight.release(reason);
  }

  /** While the tags are not known, any invalidation counts. */
  #mayHaveEnded({ tags, fence: { position } }: LoadMember<K, V>): boolean {
    return tags === undefined ? this.#history.position > position : this.#history.hasEnded(tags, position);
  }
}
