import type { Clock } from '@perf/core';
import type { WorkerExit } from './errors.ts';
import { IdleWorkers } from './idle-workers.ts';
import type { TaskLog } from './task-log.ts';
import { workersToStart } from './worker-count.ts';
import type { WorkerHandle } from './worker-handle.ts';
import { WorkerSlot } from './worker-slot.ts';

/** What {@link Workers} goes by. */
export interface WorkersSettings {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly idleTimeout: number;
  readonly startWorker: () => WorkerHandle;
  readonly clock: Clock;
  readonly log: TaskLog;
}

/** Who is told what becomes of the workers. */
export interface WorkersListener {
  /** A worker can take tasks for the first time. */
  ready(slot: WorkerSlot): void;
  /** A worker has answers. */
  rung(slot: WorkerSlot): void;
  /** A worker could not start, and is gone. */
  startFailed(error: unknown): void;
  /** A worker is gone. Its `state` is the last one it had. */
  exited(slot: WorkerSlot, exit: WorkerExit): void;
}

/** The workers of a pool, from when they are started until they are gone. */
export class Workers implements Iterable<WorkerSlot> {
  readonly idle: IdleWorkers;
  readonly #settings: WorkersSettings;
  readonly #listener: WorkersListener;
  readonly #slots = new Set<WorkerSlot>();
  readonly #freeIndexes: number[] = [];
  #starting = 0;
  #stopping = 0;
  #closed = false;

  constructor(settings: WorkersSettings, listener: WorkersListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.idle = new IdleWorkers({
      idleTimeout: settings.idleTimeout,
      clock: settings.clock,
      hasSpare: () => !this.#closed && this.#slots.size - this.#stopping > settings.minWorkers,
      retire: (slot) => this.stop(slot),
    });
  }

  get size(): number {
    return this.#slots.size;
  }

  get starting(): number {
    return this.#starting;
  }

  [Symbol.iterator](): IterableIterator<WorkerSlot> {
    return this.#slots.values();
  }

  /** Starts as many as `waiting` tasks need, or the minimum. */
  start(waiting: number): void {
    const { minWorkers, maxWorkers } = this.#settings;
    const count = workersToStart({
      waiting,
      free: this.idle.size + this.#starting,
      existing: this.#slots.size,
      minWorkers: this.#closed ? 0 : minWorkers,
      maxWorkers,
    });
    for (let index = 0; index < count; index++) this.#startOne();
  }

  /** Starts workers until there are `count`, and resolves when those can take tasks, or never will after a close. @throws WorkerStartError when one cannot */
  async ensure(count: number): Promise<void> {
    while (!this.#closed && this.#slots.size < count) this.#startOne();
    try {
      await Promise.all([...this.#slots].map(({ handle }) => handle.opened));
    } catch (error) {
      // After a close they were ended while they started.
      if (!this.#closed) throw error;
    }
  }

  #startOne(): void {
    const { startWorker, clock, log } = this.#settings;
    const index = this.#freeIndexes.pop() ?? this.#slots.size;
    const slot = new WorkerSlot(startWorker(), { index, startedAt: clock.now() });
    this.#slots.add(slot);
    this.#starting++;
    log.workerStarted();
    slot.handle.onRing = () => this.#listener.rung(slot);
    void slot.handle.exited.then((exit) => this.#exited(slot, exit));
    void this.#boot(slot);
  }

  async #boot(slot: WorkerSlot): Promise<void> {
    try {
      await slot.handle.opened;
    } catch (error) {
      await slot.handle.exited;
      this.#listener.startFailed(error);
      return;
    }
    if (slot.state !== 'starting') return;
    this.#starting--;
    this.#listener.ready(slot);
  }

  stop(slot: WorkerSlot): void {
    if (slot.state === 'stopping') return;
    if (slot.state === 'starting') this.#starting--;
    if (slot.state === 'idle') this.idle.remove(slot);
    this.#stopping++;
    slot.stop();
  }

  #exited(slot: WorkerSlot, exit: WorkerExit): void {
    this.#slots.delete(slot);
    this.#freeIndexes.push(slot.index);
    this.idle.remove(slot);
    if (slot.state === 'stopping') this.#stopping--;
    else this.#settings.log.workerLost(exit, slot.state);
    if (slot.state === 'starting') this.#starting--;
    this.#listener.exited(slot, exit);
  }

  /** Keeps no minimum any more, and retires none. */
  close(): void {
    this.#closed = true;
    this.idle.close();
  }
}
