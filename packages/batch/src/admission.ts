import { AbortGroups, QueueFullError } from '@perf/core';
import { LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';
import { atTickEnd } from './tick-end.ts';

/** How much may be pending at once. */
export interface AdmissionLimits {
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

interface Producer {
  readonly signal: AbortSignal | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Counts what is pending, against the limits, and keeps what waits for room, first come, first served. What waits counts for nothing until it is let in, so that it
 * can't wait for itself; and an operation that is too large for the limit is let in once nothing is pending, so that none waits for ever.
 */
export class Admission<Op, R> {
  readonly #limits: AdmissionLimits;
  readonly #parked: LinkedQueue<Operation<Op, R>> = new LinkedQueue();
  readonly #producers = new Set<Producer>();
  readonly #signals = new AbortGroups<Producer>((producers, reason) => {
    for (const producer of producers) {
      this.#producers.delete(producer);
      producer.reject(reason);
    }
  });
  #pending = 0;
  #bytes = 0;
  #calling = false;

  constructor({ maxPending, maxPendingBytes }: AdmissionLimits) {
    this.#limits = { maxPending, maxPendingBytes };
  }

  /** How many operations are let in and unsettled. */
  get pending(): number {
    return this.#pending;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The operations that wait for room. */
  get parked(): LinkedQueue<Operation<Op, R>> {
    return this.#parked;
  }

  /** Whether anybody waits for room. */
  get crowded(): boolean {
    return this.#parked.size > 0 || this.#producers.size > 0;
  }

  /** Whether an operation of that size can be let in at once. Nothing overtakes what waits. */
  fits(bytes: number): boolean {
    return this.#parked.size === 0 && this.#hasRoom(bytes);
  }

  #hasRoom(bytes: number): boolean {
    const { maxPending, maxPendingBytes } = this.#limits;
    if (this.#pending === 0) return true;
    return this.#pending < maxPending && this.#bytes + bytes <= maxPendingBytes;
  }

  /** What an operation is refused with for which there is no room. */
  refusal(component: string): QueueFullError {
    const { maxPending, maxPendingBytes } = this.#limits;
    const code = 'PERF_BATCH_FULL';
    if (this.#pending >= maxPending) {
      return new QueueFullError(component, { pending: this.#pending, limit: maxPending, code });
    }
    return new QueueFullError(`${component} (in bytes)`, { pending: this.#bytes, limit: maxPendingBytes, code });
  }

  enter(bytes: number): void {
    this.#pending++;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#pending--;
    // Sums of fractional sizes drift; an empty batcher starts afresh.
    this.#bytes = this.#pending === 0 ? 0 : this.#bytes - bytes;
  }

  /** What is pending becomes larger or smaller. Returns whether there is room for that. */
  resize(from: number, to: number): boolean {
    const bytes = this.#bytes - from + to;
    if (to > from && bytes > this.#limits.maxPendingBytes) return false;
    this.#bytes = bytes;
    return true;
  }

  park(operation: Operation<Op, R>): void {
    operation.parked = true;
    this.#parked.push(operation);
  }

  /** Takes out an operation that waits. */
  unpark(operation: Operation<Op, R>): void {
    operation.parked = false;
    this.#parked.remove(operation);
  }

  /** Takes out the one whose turn it is, if there is room for it. */
  next(): Operation<Op, R> | undefined {
    const first = this.#parked.head;
    if (first === undefined || !this.#hasRoom(first.bytes)) return undefined;
    this.unpark(first);
    return first;
  }

  /** Resolves when there is room for one more, in turn. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    if (this.#producers.size === 0 && this.#isReady) return;
    await new Promise<void>((resolve, reject) => {
      const producer = { signal, resolve, reject };
      this.#producers.add(producer);
      this.#signals.add(signal, producer);
    });
  }

  /** Refuses everybody who waits for room to add something. */
  refuseProducers(reason: Error): void {
    for (const producer of this.#producers) {
      this.#forget(producer);
      producer.reject(reason);
    }
  }

  /** Tells those who wait for room that there is some: one at a time, so that each finds what it was told of. */
  callProducers(): void {
    if (this.#producers.size === 0 || this.#calling || !this.#isReady) return;
    const [first] = this.#producers as Iterable<Producer> as [Producer];
    this.#forget(first);
    first.resolve();
    this.#calling = true;
    atTickEnd(() => {
      this.#calling = false;
      this.callProducers();
    });
  }

  get #isReady(): boolean {
    const { maxPending, maxPendingBytes } = this.#limits;
    if (this.#parked.size > 0) return false;
    return this.#pending === 0 || (this.#pending < maxPending && this.#bytes < maxPendingBytes);
  }

  #forget(producer: Producer): void {
    this.#producers.delete(producer);
    this.#signals.delete(producer.signal, producer);
  }
}
