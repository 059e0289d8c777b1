import { DeadlineHeap } from './deadline-heap.ts';
import type { TurnClock } from './turn-clock.ts';
import { WaitTimer } from './wait-timer.ts';
import type { Waiter } from './waiter.ts';
import type { WaiterQueue } from './waiter-queue.ts';

/** What {@link WaitDeadlines} works with. */
export interface WaitDeadlinesParts<C> {
  readonly queue: WaiterQueue<C>;
  readonly clock: TurnClock;
  /** How long those wait that did not say, in milliseconds. */
  readonly timeout: number;
  /** Those whose time is up at `now`; they are still in the queue. */
  readonly onDue: (waiters: readonly Waiter<C>[], now: number) => void;
}

/**
 * When whose time is up: one timer for all who wait.
 *
 * Those with the pool's own timeout stand in the queue in the order of their deadlines already; the others are in a heap. The timer
 * stays as it is while callers come and go, and looks at who is first when it rings.
 *
 * A waiter's time begins when it came, or, if many came in the same turn of the event loop, at the end of that turn: nobody times out
 * early, and who is served within the turn costs no look at the clock.
 */
export class WaitDeadlines<C> {
  readonly #parts: WaitDeadlinesParts<C>;
  readonly #own = new DeadlineHeap<Waiter<C>>();
  readonly #timer = new WaitTimer(() => this.#ring());

  constructor(parts: WaitDeadlinesParts<C>) {
    this.#parts = parts;
    parts.clock.onLook((now) => this.#looked(now));
  }

  /** `waiter` has just been added to the queue. */
  joined(waiter: Waiter<C>, plain: boolean): void {
    const { queue, timeout, clock } = this.#parts;
    if (!plain) this.#joinedForItself(waiter);
    else {
      const now = clock.read();
      if (now < Infinity) {
        waiter.since = now;
        this.#timer.set(now + timeout, now);
      }
    }
    if (queue.size === 1) this.#timer.hold();
  }

  /** `waiter` has just left the queue. */
  left(waiter: Waiter<C>): void {
    if (waiter.terms !== undefined) this.#own.remove(waiter);
    if (this.#parts.queue.size === 0) this.#timer.letGo();
  }

  stop(): void {
    this.#timer.clear();
  }

  #joinedForItself(waiter: Waiter<C>): void {
    const now = (waiter.since = this.#parts.clock.now());
    const { terms } = waiter;
    if (terms === undefined) return;
    terms.deadline = now + terms.timeout;
    if (terms.timeout < Infinity) this.#own.add(waiter);
    this.#timer.set(terms.deadline, now);
  }

  /** Those who came without knowing when came no later than `now`. */
  #looked(now: number): void {
    const { queue, timeout } = this.#parts;
    if (queue.stamp(now)) this.#timer.set(now + timeout, now);
  }

  #ring(): void {
    const { queue, onDue, clock } = this.#parts;
    const now = clock.look();
    const due = this.#due(now);
    if (due.length > 0) onDue(due, now);
    if (queue.size > 0) this.#timer.set(this.#earliest(), now);
  }

  #due(now: number): Waiter<C>[] {
    const due: Waiter<C>[] = [];
    for (const { plain } of this.#parts.queue.lines) {
      for (let each = plain.head; each !== undefined && this.#plainDeadline(each) <= now; each = each.next) {
        due.push(each);
      }
    }
    for (let each = this.#own.first; each?.terms !== undefined && each.terms.deadline <= now; each = this.#own.first) {
      this.#own.remove(each);
      due.push(each);
    }
    return due;
  }

  #earliest(): number {
    let earliest = this.#own.first?.terms?.deadline ?? Infinity;
    for (const { plain } of this.#parts.queue.lines) {
      if (plain.head !== undefined) earliest = Math.min(earliest, this.#plainDeadline(plain.head));
    }
    return earliest;
  }

  #plainDeadline(waiter: Waiter<C>): number {
    return (waiter.since ?? Infinity) + this.#parts.timeout;
  }
}
