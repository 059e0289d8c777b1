/** Milliseconds of waiting that one point of priority is worth. */
const AGING = 1_000;

/** The place of something that waits in a {@link WaitQueue}. */
export class Waiting {
  /** Milliseconds on the queue's clock when it came. Not 0 before: V8 would take it for an integer, and optimise twice. */
  since = 0;
  /** Breaks ties: equal priorities leave in the order they came. */
  order = 0;
  priority = 0;
  /** @internal The lane it waits in; `undefined` while it waits nowhere. */
  lane: Lane | undefined = undefined;
  /** @internal */
  before: Waiting | undefined = undefined;
  /** @internal */
  after: Waiting | undefined = undefined;
}

/** All that wait with one priority, in the order they came. Never empty while it is in the heap. */
export interface Lane {
  readonly priority: number;
  /** Its index in the heap of lanes. */
  index: number;
  first: Waiting;
  last: Waiting;
  /** What was put back last, to go on from: a crash puts back many, in order. */
  restored: Waiting | undefined;
}

/**
 * A priority queue without starvation: one point of priority is worth one second of waiting, so that whatever arrives more than
 * a second per point after an entry never overtakes it. Equal priorities are first in, first out.
 *
 * A linked list for each priority that waits, and a binary heap of these lists by their first entries: `push`, `shift` and `remove` are O(log p)
 * with p priorities, so O(1) where all are equal. Entries are their own links: what is removed leaves nothing behind.
 */
export class WaitQueue<T extends Waiting> {
  readonly #lanes = new Map<number, Lane>();
  readonly #heap: Lane[] = [];
  #order = 0;
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** The one to go next. */
  peek(): T | undefined {
    return this.#heap[0]?.first as T | undefined;
  }

  /** @param now milliseconds, monotonic */
  push(entry: T, priority: number, now: number): void {
    entry.since = now;
    entry.order = this.#order++;
    entry.priority = priority;
    this.#size++;
    const lane = this.#lanes.get(priority);
    if (lane === undefined) this.#open(entry);
    else insertAfter(lane, lane.last, entry);
  }

  /** Puts an entry back where it was before it left: ahead of everything that came later. */
  restore(entry: T): void {
    this.#size++;
    const lane = this.#lanes.get(entry.priority);
    if (lane === undefined) {
      this.#open(entry);
      return;
    }
    let before = lane.restored !== undefined && lane.restored.order < entry.order ? lane.restored : undefined;
    let after = before === undefined ? lane.first : before.after;
    while (after !== undefined && after.order < entry.order) {
      before = after;
      after = after.after;
    }
    insertAfter(lane, before, entry);
    lane.restored = entry;
    if (before === undefined) this.#rise(lane, lane.index);
  }

  shift(): T | undefined {
    const first = this.peek();
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes an entry out wherever it is; does nothing when it is not here. */
  remove(entry: T): void {
    const { lane, before, after } = entry;
    if (lane === undefined) return;
    entry.lane = entry.before = entry.after = undefined;
    this.#size--;
    if (lane.restored === entry) lane.restored = before;
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    else if (before !== undefined) lane.last = before;
    if (before !== undefined) return;
    if (after === undefined) this.#close(lane);
    else {
      lane.first = after;
      this.#sink(lane, lane.index);
    }
  }

  #open(entry: T): void {
    const { priority } = entry;
    const lane: Lane = { priority, index: 0, first: entry, last: entry, restored: undefined };
    entry.lane = lane;
    this.#lanes.set(priority, lane);
    this.#rise(lane, this.#heap.length);
  }

  #close(lane: Lane): void {
    this.#lanes.delete(lane.priority);
    const last = this.#heap.pop() as Lane;
    if (last === lane) return;
    this.#rise(last, lane.index);
    this.#sink(last, last.index);
  }

  #rise(lane: Lane, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex] as Lane;
      if (!isBefore(lane, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(lane, index);
  }

  #sink(lane: Lane, from: number): void {
    let index = from;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      if (left === undefined) break;
      const right = this.#heap[2 * index + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, lane)) break;
      const childIndex = child.index;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(lane, index);
  }

  #place(lane: Lane, index: number): void {
    this.#heap[index] = lane;
    lane.index = index;
  }
}

/** Links `entry` in behind `before`; at the head without one. */
function insertAfter(lane: Lane, before: Waiting | undefined, entry: Waiting): void {
  const after = before === undefined ? lane.first : before.after;
  entry.lane = lane;
  entry.before = before;
  entry.after = after;
  if (before === undefined) lane.first = entry;
  else before.after = entry;
  if (after === undefined) lane.last = entry;
  else after.before = entry;
}

/** By when its first entry would have come if its priority were 0. */
function isBefore({ first: one }: Lane, { first: other }: Lane): boolean {
  const difference = one.since - one.priority * AGING - (other.since - other.priority * AGING);
  return difference < 0 || (difference === 0 && one.order < other.order);
}
