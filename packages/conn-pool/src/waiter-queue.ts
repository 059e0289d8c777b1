import { LinkedList } from './linked-list.ts';
import type { Waiter } from './waiter.ts';

interface Line<C> {
  readonly priority: number;
  readonly waiters: LinkedList<Waiter<C>>;
}

/**
 * The callers that wait: those of higher priority first, the same priority in the order they came.
 * Adding, taking and leaving are O(1) in the number of waiters, and O(n) in the number of different priorities.
 */
export class WaiterQueue<C> {
  /** Highest priority first. Only the line of priority 0, which nearly everybody stands in, stays when it is empty. */
  readonly #lines: Line<C>[] = [{ priority: 0, waiters: new LinkedList() }];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(waiter: Waiter<C>): void {
    waiter.line = this.#lineOf(waiter.priority).waiters;
    waiter.line.push(waiter);
    this.#size++;
  }

  /** Takes the one to be served next. */
  take(): Waiter<C> | undefined {
    for (const { waiters } of this.#lines) {
      const waiter = waiters.shift();
      if (waiter === undefined) continue;
      this.#left(waiter);
      return waiter;
    }
    return undefined;
  }

  /** Takes out `waiter`, wherever it stands. Returns whether it was still waiting. */
  remove(waiter: Waiter<C>): boolean {
    if (waiter.line === undefined) return false;
    waiter.line.remove(waiter);
    this.#left(waiter);
    return true;
  }

  #left(waiter: Waiter<C>): void {
    const { line, priority } = waiter;
    waiter.line = undefined;
    this.#size--;
    if (priority === 0 || line?.size !== 0) return;
    const index = this.#lines.findIndex((each) => each.waiters === line);
    this.#lines.splice(index, 1);
  }

  #lineOf(priority: number): Line<C> {
    let index = 0;
    for (; index < this.#lines.length; index++) {
      const line = this.#lines[index] as Line<C>;
      if (line.priority === priority) return line;
      if (line.priority < priority) break;
    }
    const line: Line<C> = { priority, waiters: new LinkedList() };
    this.#lines.splice(index, 0, line);
    return line;
  }
}
