import type { Timer } from '@perf/core';
import type { PoolTask } from './pool-task.ts';
import type { Answer, WorkerHandle } from './worker-handle.ts';

/**
 * A worker's place in the pool, and the tasks that are on their way to it and back:
 *
 *     starting -> idle <-> busy
 *         \         \       /
 *          `-------> stopping -> (gone, and the place is free)
 *
 * A worker that ends by itself goes from any of these to gone.
 */
export class WorkerSlot {
  readonly handle: WorkerHandle;
  /** Tells it apart from the others that live now: from 0. */
  readonly index: number;
  readonly startedAt: number;
  state: 'starting' | 'idle' | 'busy' | 'stopping' = 'starting';
  /** How many tasks it was given. */
  served = 0;
  /** Milliseconds tasks ran on it. */
  busyTime = 0;
  idleSince = 0;
  /** It is at one task for longer than it should: nothing is sent to wait behind that. */
  isStuck = false;
  /** When it was seen to get on: it passed a task, or was sent one when it had none. */
  progressAt = 0;
  /** Looks after its deadlines. */
  timer: Timer | undefined;
  /** When that timer fires. */
  dueAt: number = Infinity;
  /** By sequence, from {@link WorkerSlot.#first}, in 32 bits as a worker counts them; `undefined` where one was taken back or given up. */
  #flight: (PoolTask | undefined)[] = [];
  #head = 0;
  #first = 0;
  /** The last sequence number of each frame, and how long it was expected to take. */
  readonly #frames: { readonly last: number; readonly estimate: number }[] = [];

  constructor(handle: WorkerHandle, facts: { readonly index: number; readonly startedAt: number }) {
    this.handle = handle;
    this.index = facts.index;
    this.startedAt = facts.startedAt;
  }

  /** How many are on their way, those that were taken back and not passed yet included. */
  get inFlight(): number {
    return this.#flight.length - this.#head;
  }

  get frames(): number {
    return this.#frames.length;
  }

  /** Milliseconds that what is on its way was expected to take. */
  get estimate(): number {
    return this.#frames.reduce((sum, { estimate }) => sum + estimate, 0);
  }

  /** @throws InputFailure when one of them cannot be sent; then none was */
  send(tasks: readonly PoolTask[], { estimate, now }: { readonly estimate: number; readonly now: number }): void {
    const first = this.handle.send(tasks);
    if (this.inFlight === 0) {
      this.#first = first;
      this.progressAt = now;
    }
    let sequence = first;
    for (const task of tasks) {
      task.send(this, sequence);
      this.#flight.push(task);
      sequence = (sequence + 1) | 0;
    }
    this.served += tasks.length;
    this.#frames.push({ last: (sequence - 1) | 0, estimate });
  }

  /** Whether the worker has not passed this task yet. */
  has(sequence: number): boolean {
    const place = (sequence - this.#first) | 0;
    return place >= 0 && place < this.inFlight;
  }

  /** The task it is at, or comes to next. */
  get current(): PoolTask | undefined {
    return this.#flight[this.#head];
  }

  /** When it started the task it is at. */
  get currentStart(): number | undefined {
    return this.inFlight === 0 ? undefined : this.handle.startOf(this.#first);
  }

  /** Takes note of what is done, in order. */
  collect(take: (task: PoolTask, answer: Answer) => void): void {
    while (this.inFlight > 0) {
      const answer = this.handle.answer(this.#first);
      if (answer === undefined) return;
      const task = this.#pass();
      this.progressAt = Math.max(this.progressAt, answer.endedAt);
      if (task !== undefined) take(task, answer);
    }
  }

  #pass(): PoolTask | undefined {
    const task = this.#flight[this.#head];
    this.#flight[this.#head++] = undefined;
    this.isStuck = false;
    if (this.#frames[0]?.last === this.#first) this.#frames.shift();
    this.#first = (this.#first + 1) | 0;
    if (this.#head === this.#flight.length) {
      this.#flight = [];
      this.#head = 0;
    }
    return task;
  }

  /** Nobody waits for this task any more. */
  drop(task: PoolTask): void {
    const place = this.#head + ((task.sequence - this.#first) | 0);
    if (this.#flight[place] === task) this.#flight[place] = undefined;
  }

  /** Takes back the tasks that were not started; the worker passes them by. */
  recall(): PoolTask[] {
    const taken: PoolTask[] = [];
    // From the end: the worker comes from the other side.
    for (let place = this.#flight.length - 1; place >= this.#head; place--) {
      const task = this.#flight[place];
      if (task === undefined || !this.handle.revoke(task.sequence)) continue;
      this.#flight[place] = undefined;
      taken.push(task);
    }
    return taken.toReversed();
  }

  /** The tasks that are left when the worker is gone and everything else was collected and recalled: it ran them. */
  abandon(): PoolTask[] {
    const left = this.#flight.slice(this.#head).filter((task) => task !== undefined);
    this.#flight = [];
    this.#head = 0;
    return left;
  }

  /** The shortest timeout of those on their way. */
  get shortestTimeout(): number {
    let shortest = Infinity;
    for (let place = this.#head; place < this.#flight.length; place++) {
      const timeout = this.#flight[place]?.timeout;
      if (timeout !== undefined && timeout < shortest) shortest = timeout;
    }
    return shortest;
  }

  stop(): void {
    this.state = 'stopping';
    this.timer?.cancel();
    this.timer = undefined;
    this.handle.terminate();
  }
}
