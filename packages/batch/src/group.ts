import type { Timer } from '@perf/core';
import type { Batch } from './batch.ts';
import { Lane } from './lane.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';

/** The most a batch may hold. */
export interface BatchLimits {
  readonly maxSize: number;
  readonly maxBytes: number;
}

/** One group: what of it could be sent now, as operations without an ordering key and as lanes. */
export class Group<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly name: string;
  /** Its place in `groupOrder`. */
  readonly rank: number;
  readonly #limits: BatchLimits;
  readonly #queue: LinkedQueue<Operation<Op, R> | Lane<Op, R>> = new LinkedQueue();
  #count = 0;
  #bytes = 0;
  /** Batches whose wait before another attempt is over. */
  readonly retries: LinkedQueue<Batch<Op, R>> = new LinkedQueue();
  /** Unsettled operations of the group, wherever they are. */
  pending = 0;
  /** Whether what waits has lingered long enough. */
  due = false;
  linger: Timer | undefined = undefined;
  /** Whether the group stands among those ready to send. */
  ready = false;

  constructor(name: string, rank: number, limits: BatchLimits) {
    this.name = name;
    this.rank = rank;
    this.#limits = limits;
  }

  /** Whether nothing could be sent, full or not; retries aside. */
  get idle(): boolean {
    return this.#queue.size === 0;
  }

  get full(): boolean {
    return this.#count >= this.#limits.maxSize || this.#bytes >= this.#limits.maxBytes;
  }

  push(operation: Operation<Op, R>): void {
    this.#queue.push(operation);
    this.#add(1, operation.place.bytes);
  }

  remove(operation: Operation<Op, R>): void {
    this.#queue.remove(operation);
    this.#add(-1, -operation.place.bytes);
  }

  attach(lane: Lane<Op, R>): void {
    this.#queue.push(lane);
    lane.queuedIn = this;
    this.countOn(lane);
  }

  detach(lane: Lane<Op, R>): void {
    this.#queue.remove(lane);
    lane.queuedIn = lane.lastCounted = undefined;
    this.#add(-lane.counted, -lane.countedBytes);
    lane.counted = lane.countedBytes = 0;
  }

  /** Counts what has become sendable of a lane of this queue: its first run, no further than one batch could take it. */
  countOn(lane: Lane<Op, R>): void {
    let next = lane.lastCounted === undefined ? lane.waiting.head : lane.lastCounted.next;
    while (next !== undefined && lane.counted < this.#limits.maxSize && lane.countedBytes < this.#limits.maxBytes) {
      const operation = next as Operation<Op, R>;
      if (operation.place.group !== this) return;
      this.#count1(lane, operation, 1);
      lane.lastCounted = operation;
      next = operation.next;
    }
  }

  /** Takes back the count of an operation about to leave a lane of this queue. */
  countOff(lane: Lane<Op, R>, operation: Operation<Op, R>): void {
    const last = lane.lastCounted;
    if (last === undefined || operation.place.sequence > last.place.sequence) return;
    this.#count1(lane, operation, -1);
    if (operation === last) lane.lastCounted = operation.previous as Operation<Op, R> | undefined;
  }

  #count1(lane: Lane<Op, R>, { place }: Operation<Op, R>, sign: 1 | -1): void {
    lane.counted += sign;
    lane.countedBytes += sign * place.bytes;
    this.#add(sign, sign * place.bytes);
  }

  #add(count: number, bytes: number): void {
    this.#count += count;
    // Sums of fractional sizes drift; an empty queue starts afresh.
    this.#bytes = this.#count === 0 ? 0 : this.#bytes + bytes;
  }

  /** What waits here without an ordering key. */
  *unordered(): Generator<Operation<Op, R>> {
    for (const unit of this.#queue) if (!(unit instanceof Lane)) yield unit;
  }

  /**
   * Takes the next batch, up to the limits, oldest first; of a lane, its first run. Operations come out in the order they were added.
   * Empty only if nothing waits.
   */
  take(): Operation<Op, R>[] {
    const taken: Operation<Op, R>[] = [];
    let room = this.#limits.maxBytes;
    let inOrder = true;
    const fits = (operation: Operation<Op, R>): boolean =>
      taken.length === 0 || (taken.length < this.#limits.maxSize && operation.place.bytes <= room);
    const take = (operation: Operation<Op, R>): void => {
      inOrder &&= (taken.at(-1)?.place.sequence ?? -1) < operation.place.sequence;
      taken.push(operation);
      room -= operation.place.bytes;
    };
    for (let unit = this.#queue.head; unit !== undefined; unit = this.#queue.head) {
      if (!fits(unit instanceof Lane ? firstOf(unit) : unit)) break;
      if (unit instanceof Lane) {
        this.detach(unit);
        for (let next = unit.waiting.head; next?.place.group === this && fits(next); next = unit.waiting.head) {
          unit.waiting.remove(next);
          unit.held++;
          take(next);
        }
      } else {
        this.remove(unit);
        take(unit);
      }
    }
    return inOrder ? taken : taken.sort((a, b) => a.place.sequence - b.place.sequence);
  }
}

function firstOf<Op, R>(lane: Lane<Op, R>): Operation<Op, R> {
  // A lane stands in a queue only while something waits in it.
  return lane.waiting.head as Operation<Op, R>;
}
