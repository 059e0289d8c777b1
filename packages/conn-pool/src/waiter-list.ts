import type { Waiter } from './waiter.ts';

/**
 * Waiters in the order they came, linked through themselves. Like `LinkedList`, but for them alone and with plain fields: it is where a busy
 * pool spends its time, and V8 makes code that sees one kind of node fast.
 */
export class WaiterList<C> {
  readonly line: WaiterLine<C>;
  head: Waiter<C> | undefined = undefined;
  tail: Waiter<C> | undefined = undefined;

  constructor(line: WaiterLine<C>) {
    this.line = line;
  }

  push(waiter: Waiter<C>): void {
    const { tail } = this;
    waiter.list = this;
    waiter.previous = tail;
    if (tail === undefined) this.head = waiter;
    else tail.next = waiter;
    this.tail = waiter;
  }

  remove(waiter: Waiter<C>): void {
    const { previous, next } = waiter;
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.tail = previous;
    else next.previous = previous;
    waiter.list = waiter.previous = waiter.next = undefined;
  }
}

/** The waiters of one priority. */
export class WaiterLine<C> {
  readonly priority: number;
  /** Those with the pool's own timeout: who came first times out first, too. */
  readonly plain: WaiterList<C> = new WaiterList(this);
  /** Those with a timeout of their own. */
  readonly own: WaiterList<C> = new WaiterList(this);

  constructor(priority: number) {
    this.priority = priority;
  }

  /** Who came first. */
  get head(): Waiter<C> | undefined {
    const { head } = this.plain;
    const other = this.own.head;
    if (other === undefined) return head;
    return head === undefined || other.order < head.order ? other : head;
  }

  /** Notes for those whose time of arrival is not known that it was not after `now`. Returns whether there were any. O(those). */
  stamp(now: number): boolean {
    let any = false;
    for (let each = this.plain.tail; each !== undefined && each.since === undefined; each = each.previous) {
      each.since = now;
      any = true;
    }
    return any;
  }
}
