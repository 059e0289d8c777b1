import { AbortGroups, type Clock, ClosedError } from '@perf/core';
import { PoolQueueFullError, TaskCloneError, TaskTimeoutError, type WorkerExit, WorkerExitError } from './errors.ts';
import type { Reply } from './frame.ts';
import { IdleWorkers } from './idle-workers.ts';
import { PoolTask, type TaskRequest, type TaskSignals } from './pool-task.ts';
import type { TaskLog } from './task-log.ts';
import { WaitQueue } from './wait-queue.ts';
import { workersToStart } from './worker-count.ts';
import { InputFailure, type WorkerHandle } from './worker-handle.ts';
import { WorkerSlot } from './worker-slot.ts';

/** What a {@link Scheduler} goes by. */
export interface SchedulerSettings {
  /** What it is called in errors. */
  readonly component: string;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly idleTimeout: number;
  readonly maxQueue: number;
  readonly maxTasksPerWorker: number;
  readonly startWorker: () => WorkerHandle;
  readonly clock: Clock;
  readonly log: TaskLog;
}

/** A task whose workers ended this often before they started it is given up: it may be what ends them. */
const MAX_UNLUCKY = 2;

/**
 * The queue and the workers of a pool, and what goes from one to the other.
 *
 * Invariants: there are never more than `maxWorkers` workers, those that are ending included; a task is on one worker at most and starts at most once;
 * a worker whose task was given up (timeout, abort) is not used again, and its place is free only when it is gone.
 */
export class Scheduler {
  readonly #settings: SchedulerSettings;
  readonly #queue = new WaitQueue<PoolTask>();
  readonly #slots = new Set<WorkerSlot>();
  readonly #signals: TaskSignals = new AbortGroups((tasks, reason) => this.#abort(tasks, reason));
  readonly #idle: IdleWorkers;
  readonly #ended = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;
  #starting = 0;
  #running = 0;
  #stopping = 0;
  #sequence = 0;
  #closed = false;

  constructor(settings: SchedulerSettings) {
    this.#settings = settings;
    this.#idle = new IdleWorkers({
      idleTimeout: settings.idleTimeout,
      clock: settings.clock,
      hasSpare: () => !this.#closed && this.#slots.size - this.#stopping > settings.minWorkers,
      retire: (slot) => this.#stop(slot),
    });
    this.#startWorkers();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get counts(): { readonly [K in 'workers' | 'idle' | 'starting' | 'running' | 'waiting']: number } {
    return {
      workers: this.#slots.size,
      idle: this.#idle.size,
      starting: this.#starting,
      running: this.#running,
      waiting: this.#queue.size,
    };
  }

  /** @throws what refuses the task: a `ClosedError`, a {@link PoolQueueFullError}, or the reason of its signal */
  submit(request: TaskRequest, options?: { readonly unbounded: boolean }): Promise<unknown> {
    if (this.#closed) throw this.#closedError();
    request.signal?.throwIfAborted();
    request.waitSignal?.throwIfAborted();
    const { maxQueue, maxWorkers, component, clock, log } = this.#settings;
    // A task that a worker is free for, or can be started for, does not count as waiting.
    if (options?.unbounded !== true && this.#queue.size + this.#running >= maxWorkers + maxQueue) {
      log.refused();
      throw new PoolQueueFullError(component, { pending: this.#queue.size, limit: maxQueue });
    }
    const now = clock.now();
    const task = new PoolTask(request, now, this.#signals);
    this.#queue.push(task, request.priority, now);
    this.#pump();
    return task.promise;
  }

  /** Resolves when nothing waits and nothing runs. */
  drain(): Promise<void> {
    if (this.#queue.size + this.#running === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Takes no more; resolves when everything has been done, or refused if `force`, and the last worker is gone. */
  close(force: boolean): Promise<void> {
    this.#closed = true;
    this.#idle.close();
    if (force) {
      for (let task = this.#queue.shift(); task; task = this.#queue.shift()) task.reject(this.#closedError());
      for (const { task } of this.#slots) if (task?.state === 'running') this.#giveUp(task, this.#closedError());
    }
    this.#checkIdle();
    return this.#ended.promise;
  }

  #pump(): void {
    for (let next = this.#queue.peek(); next; next = this.#queue.peek()) {
      const slot = this.#idle.pop();
      if (slot === undefined) break;
      this.#queue.remove(next);
      this.#start(next, slot);
    }
    this.#startWorkers();
  }

  #startWorkers(): void {
    const { minWorkers, maxWorkers, startWorker } = this.#settings;
    const count = workersToStart({
      waiting: this.#queue.size,
      free: this.#idle.size + this.#starting,
      existing: this.#slots.size,
      minWorkers: this.#closed ? 0 : minWorkers,
      maxWorkers,
    });
    for (let index = 0; index < count; index++) {
      const slot = new WorkerSlot(startWorker());
      this.#slots.add(slot);
      this.#starting++;
      this.#settings.log.workerStarted();
      void slot.handle.exited.then((exit) => this.#exited(slot, exit));
      void this.#boot(slot);
    }
  }

  async #boot(slot: WorkerSlot): Promise<void> {
    try {
      await slot.handle.opened;
    } catch (error) {
      await slot.handle.exited;
      this.#startFailed(error);
      return;
    }
    if (slot.state !== 'starting') return;
    this.#starting--;
    this.#release(slot);
  }

  /** Tasks are left to the workers that live; without any, they would wait for ever. No other is started by this: it would fail as well. */
  #startFailed(error: unknown): void {
    if (this.#slots.size === 0) {
      for (let task = this.#queue.shift(); task; task = this.#queue.shift()) this.#reject(task, error);
    }
    this.#checkIdle();
  }

  #start(task: PoolTask, slot: WorkerSlot): void {
    const now = this.#settings.clock.now();
    const { url, name, items, timeout } = task.request;
    this.#sequence = (this.#sequence + 1) | 0;
    slot.state = 'busy';
    slot.task = task;
    slot.frame = { kind: 'frame', sequence: this.#sequence, url, name, items };
    slot.served += items.length;
    this.#running++;
    this.#settings.log.started(now - task.submittedAt);
    task.start(now, () => {
      this.#settings.log.timedOut();
      this.#giveUp(task, new TaskTimeoutError(name, timeout));
    });
    void this.#execute(task, slot);
  }

  async #execute(task: PoolTask, slot: WorkerSlot): Promise<void> {
    let reply: Reply | undefined;
    let failure: unknown;
    try {
      reply = await slot.handle.send(slot.frame as NonNullable<WorkerSlot['frame']>, task.request.transferList);
    } catch (error) {
      failure = error;
    }
    // Of a worker that is ending, `exited` tells; of a task that was given up, nobody asks.
    if (slot.state !== 'busy' || slot.task !== task) return;
    if (reply !== undefined) this.#finish(task, reply);
    else if (failure instanceof InputFailure) {
      this.#reject(task, new TaskCloneError({ task: task.request.name, direction: 'input', cause: failure.cause }));
    } else return;
    slot.task = undefined;
    this.#release(slot);
  }

  #finish(task: PoolTask, reply: Reply): void {
    const { clock, log } = this.#settings;
    this.#running--;
    log.finished(reply, clock.now() - task.startedAt);
    task.resolve(reply);
  }

  #reject(task: PoolTask, error: unknown): void {
    if (task.state === 'running') this.#running--;
    this.#settings.log.failed();
    task.reject(error);
  }

  /** A worker is free: for the next task, unless it has served its time. */
  #release(slot: WorkerSlot): void {
    if (slot.served >= this.#settings.maxTasksPerWorker) this.#stop(slot);
    else this.#idle.push(slot);
    this.#pump();
    this.#checkIdle();
  }

  #abort(tasks: readonly PoolTask[], reason: unknown): void {
    for (const task of tasks) {
      this.#settings.log.aborted();
      this.#giveUp(task, reason);
    }
  }

  /** The caller stops waiting. What runs cannot be stopped but with its worker. */
  #giveUp(task: PoolTask, reason: unknown): void {
    if (task.state === 'running') {
      this.#running--;
      for (const slot of this.#slots) if (slot.task === task) this.#stop(slot);
    }
    this.#queue.remove(task);
    task.reject(reason);
    this.#checkIdle();
  }

  #stop(slot: WorkerSlot): void {
    if (slot.state === 'stopping') return;
    if (slot.state === 'starting') this.#starting--;
    this.#stopping++;
    slot.task = undefined;
    slot.stop();
  }

  #exited(slot: WorkerSlot, exit: WorkerExit): void {
    const { state, task } = slot;
    this.#slots.delete(slot);
    this.#idle.remove(slot);
    if (state === 'stopping') this.#stopping--;
    else this.#settings.log.workerLost();
    if (state === 'starting') this.#starting--;
    if (task !== undefined) this.#lost(task, slot, exit);
    // A minimum is kept, but not by starting again and again what ends before it was of any use.
    if (state !== 'starting' && (slot.served > 0 || this.#queue.size > 0)) this.#pump();
    this.#checkIdle();
  }

  #lost(task: PoolTask, slot: WorkerSlot, exit: WorkerExit): void {
    const started = slot.frame === undefined || slot.handle.hasStarted(slot.frame);
    if (started || task.unlucky >= MAX_UNLUCKY) {
      this.#reject(task, new WorkerExitError(task.request.name, exit));
      return;
    }
    if (task.request.waitSignal?.aborted === true) {
      this.#abort([task], task.request.waitSignal.reason);
      return;
    }
    this.#running--;
    this.#queue.restore(task);
    task.unstart();
  }

  #checkIdle(): void {
    if (this.#queue.size + this.#running > 0) return;
    this.#drained?.resolve();
    this.#drained = undefined;
    if (!this.#closed) return;
    for (const slot of this.#slots) this.#stop(slot);
    if (this.#slots.size === 0) this.#ended.resolve();
  }

  #closedError(): ClosedError {
    return new ClosedError(this.#settings.component, 'PERF_POOL_CLOSED');
  }
}
