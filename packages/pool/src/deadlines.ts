import { type Clock, startTimer } from '@perf/core';
import type { PoolTask } from './pool-task.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** What {@link Deadlines} finds. */
export interface DeadlinesListener {
  /** Has what is done taken note of. */
  collect(slot: WorkerSlot): void;
  timedOut(task: PoolTask): void;
  /** A worker is at one task for longer than its whole frame should have taken: others wait behind it. */
  stuck(slot: WorkerSlot): void;
  /** A worker does not even start the task whose turn it is. */
  unresponsive(slot: WorkerSlot): void;
}

/** Milliseconds after which a worker with more than one task is looked at, and one at the same task all the time is stuck. */
const STUCK_AFTER = 5;

/** Milliseconds a worker has at least to start a task: the machine may be busy. */
const LEAST_PATIENCE = 1_000;

/**
 * Looks after the tasks that were sent: one timer for each busy worker, however many tasks it has, as a task's time runs from its start, which the worker
 * notes where it can be read. The timer is set for the earliest moment at which anything could be due, and looks again then.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #listener: DeadlinesListener;

  constructor(clock: Clock, listener: DeadlinesListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Tasks were sent to this worker. */
  watch(slot: WorkerSlot): void {
    this.#arm(slot, Math.min(slot.inFlight > 1 ? STUCK_AFTER : Infinity, slot.shortestTimeout));
  }

  /** Nothing is on its way to this worker any more. */
  forget(slot: WorkerSlot): void {
    slot.timer?.cancel();
    slot.timer = undefined;
    slot.dueAt = Infinity;
  }

  #arm(slot: WorkerSlot, left: number): void {
    if (left === Infinity) return;
    const dueAt = this.#clock.now() + left;
    if (slot.timer !== undefined && slot.dueAt <= dueAt) return;
    slot.timer?.cancel();
    slot.dueAt = dueAt;
    slot.timer = startTimer(() => this.#look(slot), Math.max(1, left), { unref: true });
  }

  #look(slot: WorkerSlot): void {
    this.forget(slot);
    this.#listener.collect(slot);
    if (slot.state !== 'busy' || slot.inFlight === 0) return;
    const { current, currentStart } = slot;
    const ran = currentStart === undefined ? 0 : this.#clock.now() - currentStart;
    if (current !== undefined && currentStart !== undefined && ran >= current.timeout) {
      this.#listener.timedOut(current);
      return;
    }
    if (current !== undefined && currentStart === undefined && this.#isUnresponsive(slot, current.timeout)) {
      this.#listener.unresponsive(slot);
      return;
    }
    if (ran >= STUCK_AFTER) this.#listener.stuck(slot);
    const left = current === undefined || currentStart === undefined ? Infinity : current.timeout - ran;
    const others = Math.min(slot.shortestTimeout, ran < STUCK_AFTER && slot.inFlight > 1 ? STUCK_AFTER : Infinity);
    this.#arm(slot, Math.min(left, others));
  }

  /** What a task left behind may block a worker for good. Nothing of the tasks that wait there was started: they go elsewhere. */
  #isUnresponsive(slot: WorkerSlot, timeout: number): boolean {
    return this.#clock.now() - slot.progressAt >= Math.max(timeout, LEAST_PATIENCE);
  }
}
