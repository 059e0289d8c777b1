import type { Timer } from '@perf/core';
import type { Batch } from './batch.ts';
import { keep } from './keep.ts';
import { Lane } from './lane.ts';
import { LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';
import { ReadyShelves } from './ready-shelves.ts';
import { Shelf } from './shelf.ts';

/** The most a batch may hold. */
export interface BatchLimits {
  readonly maxSize: number;
  readonly maxBytes: number;
}

/** One group: what of it could be sent now, by priority, and whether it lingers. */
export class Group<Op, R> {
  readonly name: string;
  /** Its place in `groupOrder`. */
  readonly rank: number;
  /** The most operations the next batch may hold. */
  maxSize: number;
  readonly #maxBytes: number;
  readonly #ready: ReadyShelves<Op, R>;
  readonly #ordinary: Shelf<Op, R>;
  /** Those with something on them, and the ordinary one, the most urgent first. */
  readonly #shelves: Shelf<Op, R>[];
  #count = 0;
  #bytes = 0;
  /** Batches whose wait before another attempt is over. */
  readonly #retries: LinkedQueue<Batch<Op, R>> = new LinkedQueue();
  /** Unsettled operations of the group, wherever they are. */
  pending = 0;
  /** Whether what waits has lingered long enough. */
  due = false;
  linger: Timer | undefined = undefined;
  /** When that timer fires. */
  lingersUntil: number = Infinity;
  /** Whether what it holds is ready to send. */
  #open: boolean;

  constructor(
    place: { readonly name: string; readonly rank: number; readonly open: boolean },
    limits: BatchLimits,
    ready: ReadyShelves<Op, R>,
  ) {
    this.name = place.name;
    this.rank = place.rank;
    this.#open = place.open;
    this.maxSize = limits.maxSize;
    this.#maxBytes = limits.maxBytes;
    this.#ready = ready;
    this.#ordinary = new Shelf(this, 0);
    this.#shelves = [this.#ordinary];
  }

  static {
    keep(new Group({ name: '', rank: 0, open: true }, { maxSize: Infinity, maxBytes: Infinity }, new ReadyShelves()));
  }

  /** Whether nothing could be sent, full or not; retries aside. */
  get idle(): boolean {
    return this.#shelves.length === 1 && this.#ordinary.queue.size === 0;
  }

  /** How many operations could be sent; of a lane, no more than one batch could take when they were counted. */
  get waiting(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= this.maxSize || this.#bytes >= this.#maxBytes;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Makes what it holds, and will hold, ready to send, or lets it linger. */
  set open(open: boolean) {
    if (this.#open === open) return;
    this.#open = open;
    for (const shelf of this.#shelves) this.restore(shelf);
  }

  /** Puts a shelf among the ready ones, at the end of its turn, or takes it out, as it should be. */
  restore(shelf: Shelf<Op, R>): void {
    const retries = shelf === this.#ordinary && this.#retries.size > 0;
    if (retries || (this.#open && shelf.queue.size > 0)) this.#ready.add(shelf);
    else this.#ready.remove(shelf);
  }

  /** A batch may be sent again. */
  pushRetry(batch: Batch<Op, R>): void {
    this.#retries.push(batch);
    this.restore(this.#ordinary);
  }

  removeRetry(batch: Batch<Op, R>): void {
    this.#retries.remove(batch);
    this.restore(this.#ordinary);
  }

  shiftRetry(): Batch<Op, R> | undefined {
    const batch = this.#retries.shift();
    if (batch === undefined) return undefined;
    batch.queued = false;
    // Whichever shelf's turn it was: without this one the ordinary shelf would stand ready for nothing.
    this.restore(this.#ordinary);
    return batch;
  }

  push(operation: Operation<Op, R>): void {
    this.#put(operation, this.#shelfOf(operation.priority));
    this.#add(1, operation.bytes);
  }

  remove(operation: Operation<Op, R>): void {
    this.#unput(operation, this.#shelfOf(operation.priority));
    this.#subtract(1, operation.bytes);
  }

  /** The last operation of its key, which waits, gets another size. */
  resize(operation: Operation<Op, R>, bytes: number): void {
    const more = bytes - operation.bytes;
    operation.bytes = bytes;
    const { lane } = operation;
    if (lane !== undefined) {
      // Of a lane it may be the last that is counted, or is not counted yet.
      if (lane.lastCounted !== operation) return;
      lane.countedBytes += more;
    }
    this.#add(0, more);
  }

  /** A second operation of its key has come: the lane of both takes the place of the first, which stands here. */
  widen(operation: Operation<Op, R>, lane: Lane<Op, R>): void {
    const shelf = this.#shelfOf(operation.priority);
    shelf.queue.replace(operation, lane);
    lane.push(operation);
    lane.queuedIn = this;
    lane.shelf = shelf;
    lane.counted = 1;
    lane.countedBytes = operation.bytes;
    lane.lastCounted = operation;
  }

  attach(lane: Lane<Op, R>): void {
    lane.queuedIn = this;
    lane.shelf = this.#shelfOf(lane.priority);
    this.#put(lane, lane.shelf);
    this.countOn(lane);
  }

  detach(lane: Lane<Op, R>): void {
    this.#unput(lane, lane.shelf as Shelf<Op, R>);
    lane.queuedIn = lane.shelf = lane.lastCounted = undefined;
    this.#subtract(lane.counted, lane.countedBytes);
    lane.counted = lane.countedBytes = 0;
  }

  /** Counts what has become sendable of a lane of this group: its first run, no further than one batch could take it. */
  countOn(lane: Lane<Op, R>): void {
    let next = lane.lastCounted === undefined ? lane.waiting.head : lane.lastCounted.next;
    while (next !== undefined && lane.counted < this.maxSize && lane.countedBytes < this.#maxBytes) {
      const operation = next as Operation<Op, R>;
      if (operation.group !== this) return;
      lane.counted++;
      lane.countedBytes += operation.bytes;
      this.#add(1, operation.bytes);
      lane.lastCounted = operation;
      next = operation.next;
    }
  }

  /** Takes back the count of an operation about to leave a lane of this group. */
  countOff(lane: Lane<Op, R>, operation: Operation<Op, R>): void {
    const last = lane.lastCounted;
    if (last === undefined || operation.sequence > last.sequence) return;
    lane.counted--;
    lane.countedBytes -= operation.bytes;
    this.#subtract(1, operation.bytes);
    if (operation === last) lane.lastCounted = operation.previous as Operation<Op, R> | undefined;
  }

  #add(count: number, bytes: number): void {
    this.#count += count;
    this.#bytes += bytes;
  }

  #subtract(count: number, bytes: number): void {
    this.#count -= count;
    // Sums of fractional sizes drift; an empty group starts afresh.
    this.#bytes = this.#count === 0 ? 0 : this.#bytes - bytes;
  }

  #shelfOf(priority: number): Shelf<Op, R> {
    if (priority === 0) return this.#ordinary;
    const index = this.#indexOf(priority);
    const found = this.#shelves[index];
    if (found?.priority === priority) return found;
    const shelf = new Shelf(this, priority);
    this.#shelves.splice(index, 0, shelf);
    return shelf;
  }

  /** Where the shelf of a priority is, or belongs. */
  #indexOf(priority: number): number {
    let low = 0;
    let high = this.#shelves.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#shelves[middle] as Shelf<Op, R>).priority > priority) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #put(unit: Operation<Op, R> | Lane<Op, R>, shelf: Shelf<Op, R>): void {
    shelf.queue.push(unit);
    if (this.#open && !shelf.ready) this.#ready.add(shelf);
  }

  #unput(unit: Operation<Op, R> | Lane<Op, R>, shelf: Shelf<Op, R>): void {
    shelf.queue.remove(unit);
    if (shelf.queue.size > 0) return;
    this.restore(shelf);
    if (shelf !== this.#ordinary) this.#shelves.splice(this.#indexOf(shelf.priority), 1);
  }

  /** What waits here and stands in no lane. */
  *single(): Generator<Operation<Op, R>> {
    for (const shelf of this.#shelves.slice()) {
      for (const unit of shelf.queue) if (!(unit instanceof Lane)) yield unit;
    }
  }

  /**
   * Takes the next batch, up to the limits: what is on `shelf` first, then what is most urgent; of one shelf the oldest first, of a lane its first run.
   * Operations come out in the order they were added. Empty only if nothing waits.
   */
  take(shelf: Shelf<Op, R>): Operation<Op, R>[] {
    const taken: Operation<Op, R>[] = [];
    let room = this.#fill(taken, shelf, this.#maxBytes);
    if (this.#shelves.length > 1) {
      for (const other of this.#shelves.slice()) {
        if (room >= 0 && taken.length < this.maxSize && other !== shelf) room = this.#fill(taken, other, room);
      }
    }
    for (let index = 1; index < taken.length; index++) {
      if ((taken[index - 1] as Operation<Op, R>).sequence > (taken[index] as Operation<Op, R>).sequence)
        return taken.sort((a, b) => a.sequence - b.sequence);
    }
    return taken;
  }

  /** Takes from one shelf what fits. Returns the bytes of room left; below 0 when nothing more is to be taken. */
  #fill(taken: Operation<Op, R>[], { queue }: Shelf<Op, R>, room: number): number {
    let left = room;
    for (let unit = queue.head; unit !== undefined; unit = queue.head) {
      const lane = unit instanceof Lane ? unit : undefined;
      let next = unit instanceof Lane ? (unit.waiting.head as Operation<Op, R>) : unit;
      if (!this.#fits(taken, next, left)) return -1;
      if (lane === undefined) this.remove(next);
      else this.detach(lane);
      for (;;) {
        lane?.hold(next);
        taken.push(next);
        left -= next.bytes;
        const following = lane?.waiting.head;
        if (following?.group !== this || !this.#fits(taken, following, left)) break;
        next = following;
      }
    }
    return left;
  }

  #fits(taken: readonly Operation<Op, R>[], { bytes }: Operation<Op, R>, room: number): boolean {
    return taken.length === 0 || (taken.length < this.maxSize && bytes <= room);
  }
}
