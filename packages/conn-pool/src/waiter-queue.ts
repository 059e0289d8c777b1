import type { TurnClock } from './turn-clock.ts';
import type { Waiter } from './waiter.ts';
import { WaiterLine } from './waiter-list.ts';

/** Milliseconds of waiting that one point of priority is worth: bounded, so that a stream of high priorities does not starve the low ones. */
const AGING = 1_000;

/**
 * The callers that wait. Equal priorities are served in the order they came; one point of priority is worth one second of waiting.
 * Adding, taking and leaving are O(1) in the number of waiters, and O(p) with p different priorities that wait.
 */
export class WaiterQueue<C> {
  size = 0;
  readonly #normal = new WaiterLine<C>(0);
  /** Highest priority first. Only the line of priority 0, which nearly everybody stands in, stays when it is empty. */
  readonly #lines: WaiterLine<C>[] = [this.#normal];
  #order = 0;

  get lines(): readonly WaiterLine<C>[] {
    return this.#lines;
  }

  /** @param plain whether it waits as long as the pool says, and not for a time of its own */
  add(waiter: Waiter<C>, priority: number, plain: boolean): void {
    const line = priority === 0 ? this.#normal : this.#lineOf(priority);
    // Started anew now and then, so that it stays a small integer.
    waiter.order = this.#order = this.size === 0 ? 0 : this.#order + 1;
    (plain ? line.plain : line.own).push(waiter);
    this.size++;
  }

  /** Who is to be served next. It stays in the queue. @param clock asked only where it takes that to compare priorities */
  peek(clock: TurnClock): Waiter<C> | undefined {
    if (this.#lines.length === 1) return this.#normal.head;
    if (this.#lines.some(({ head }) => head !== undefined && head.since === undefined)) clock.look();
    return this.#mostUrgent();
  }

  /** Takes out `waiter`, wherever it stands. It is in the queue. */
  remove(waiter: Waiter<C>): void {
    const { list } = waiter;
    if (list === undefined) return;
    list.remove(waiter);
    this.size--;
    if (list.head === undefined && list.line !== this.#normal && list.line.head === undefined) {
      this.#lines.splice(this.#lines.indexOf(list.line), 1);
    }
  }

  /** Notes for those whose time of arrival is not known that it was not after `now`. Returns whether there were any. */
  stamp(now: number): boolean {
    let any = false;
    for (const line of this.#lines) if (line.stamp(now)) any = true;
    return any;
  }

  #mostUrgent(): Waiter<C> | undefined {
    let best: Waiter<C> | undefined;
    let earliest = Infinity;
    for (const { head, priority } of this.#lines) {
      const rank = (head?.since ?? Infinity) - AGING * priority;
      if (head === undefined || (best !== undefined && rank >= earliest)) continue;
      best = head;
      earliest = rank;
    }
    return best;
  }

  #lineOf(priority: number): WaiterLine<C> {
    let index = 0;
    for (; index < this.#lines.length; index++) {
      const line = this.#lines[index] as WaiterLine<C>;
      if (line.priority === priority) return line;
      if (line.priority < priority) break;
    }
    const line = new WaiterLine<C>(priority);
    this.#lines.splice(index, 0, line);
    return line;
  }
}
