import type { PoolTask } from './pool-task.ts';
import { WaitQueue } from './wait-queue.ts';

/** Milliseconds of waiting that one point of priority is worth: as in {@link WaitQueue}. */
const AGING = 1_000;
/** A task's `index` is this or less when it stands in line: this minus its number there. (-1 is nowhere, and the heap's begin at 0.) */
const IN_LINE = -2;

/**
 * The tasks of a pool that wait, in the order of a {@link WaitQueue}. Those that come in that order anyway, which are nearly all, stand in line, where coming and going
 * is a step of an array; only what is to go before others is in a heap.
 */
export class TaskQueue {
  readonly #heap = new WaitQueue<PoolTask>();
  #line: (PoolTask | undefined)[] = [];
  #head = 0;
  /** The number of the first place of the array: numbers only grow. */
  #base = 0;
  #inLine = 0;
  #order = 0;
  #lastRank = -Infinity;

  get size(): number {
    return this.#inLine + this.#heap.size;
  }

  /** @param now milliseconds, monotonic */
  push(task: PoolTask, priority: number, now: number): void {
    task.rank = now - priority * AGING;
    task.order = this.#order++;
    if (this.#inLine > 0 && task.rank < this.#lastRank) {
      this.#heap.restore(task);
      return;
    }
    if (this.#inLine === 0) this.#clearLine();
    task.index = IN_LINE - this.#base - this.#line.length;
    this.#line.push(task);
    this.#inLine++;
    this.#lastRank = task.rank;
  }

  /** Puts a task back where it was before it left: ahead of everything that came later. */
  restore(task: PoolTask): void {
    this.#heap.restore(task);
  }

  peek(): PoolTask | undefined {
    const first = this.#firstInLine();
    const other = this.#heap.peek();
    if (first === undefined || other === undefined) return first ?? other;
    return other.rank < first.rank || (other.rank === first.rank && other.order < first.order) ? other : first;
  }

  shift(): PoolTask | undefined {
    const first = this.peek();
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes a task out wherever it is; does nothing when it is not here. */
  remove(task: PoolTask): void {
    if (task.index > IN_LINE) {
      this.#heap.remove(task);
      return;
    }
    const place = IN_LINE - task.index - this.#base;
    this.#line[place] = undefined;
    task.index = -1;
    this.#inLine--;
    if (place === this.#head) this.#head++;
  }

  #firstInLine(): PoolTask | undefined {
    if (this.#inLine === 0) return undefined;
    while (this.#line[this.#head] === undefined) this.#head++;
    // What has left is let go in large steps.
    if (this.#head > 1_024 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#base += this.#head;
      this.#head = 0;
    }
    return this.#line[this.#head];
  }

  #clearLine(): void {
    this.#base += this.#line.length;
    this.#line = [];
    this.#head = 0;
  }
}
