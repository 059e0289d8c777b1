import { type Clock, type Timer, startTimer } from '@perf/core';
import type { WorkerSlot } from './worker-slot.ts';

/** What {@link IdleWorkers} asks of the pool. */
export interface IdlePolicy {
  /** Milliseconds a worker may be idle. */
  readonly idleTimeout: number;
  readonly clock: Clock;
  /** Whether the pool can do with one worker less. */
  readonly hasSpare: () => boolean;
  /** Ends a worker that was idle too long. */
  readonly retire: (slot: WorkerSlot) => void;
}

/** The workers that have nothing to do: the one used last is used first, so that those not needed stay idle and are ended. */
export class IdleWorkers {
  /** The longest idle first. */
  readonly #slots: WorkerSlot[] = [];
  readonly #policy: IdlePolicy;
  #timer: Timer | undefined;

  constructor(policy: IdlePolicy) {
    this.#policy = policy;
  }

  get size(): number {
    return this.#slots.length;
  }

  push(slot: WorkerSlot): void {
    slot.state = 'idle';
    slot.idleSince = this.#policy.clock.now();
    this.#slots.push(slot);
    this.#arm();
  }

  pop(): WorkerSlot | undefined {
    return this.#slots.pop();
  }

  remove(slot: WorkerSlot): void {
    const index = this.#slots.indexOf(slot);
    if (index !== -1) this.#slots.splice(index, 1);
  }

  /** Stops looking for workers that were idle too long. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One timer for all of them, so that a task does not cost one. */
  #arm(): void {
    const oldest = this.#slots[0];
    if (this.#timer !== undefined || oldest === undefined || !this.#policy.hasSpare()) return;
    const left = oldest.idleSince + this.#policy.idleTimeout - this.#policy.clock.now();
    this.#timer = startTimer(() => this.#retireOld(), Math.max(1, left), { unref: true });
  }

  #retireOld(): void {
    this.#timer = undefined;
    const idleBefore = this.#policy.clock.now() - this.#policy.idleTimeout;
    while (this.#policy.hasSpare()) {
      const oldest = this.#slots[0];
      if (oldest === undefined || oldest.idleSince > idleBefore) break;
      this.#slots.shift();
      this.#policy.retire(oldest);
    }
    this.#arm();
  }
}
