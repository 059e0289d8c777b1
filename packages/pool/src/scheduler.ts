import { AbortGroups, type Clock, ClosedError } from '@perf/core';
import { afterFailures } from './after-failures.ts';
import { Deadlines } from './deadlines.ts';
import { Deferral } from './deferral.ts';
import { PoolQueueFullError, TaskCloneError, TaskTimeoutError, type WorkerExit, WorkerExitError } from './errors.ts';
import { FRAME_TIME, joins, largestFrame } from './frame-size.ts';
import { PoolTask, type TaskRequest, type TaskSignals } from './pool-task.ts';
import type { TaskLog } from './task-log.ts';
import { TaskQueue } from './task-queue.ts';
import { type Answer, InputFailure, type WorkerHandle } from './worker-handle.ts';
import { Workers } from './workers.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** What a {@link Scheduler} goes by. */
export interface SchedulerSettings {
  /** What it is called in errors. */
  readonly component: string;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly idleTimeout: number;
  readonly maxQueue: number;
  readonly maxTasksPerWorker: number;
  readonly maxHeapPerWorker: number;
  /** Whether tasks that are submitted together may travel together. */
  readonly coalesce: boolean;
  readonly startWorker: () => WorkerHandle;
  readonly clock: Clock;
  readonly log: TaskLog;
}

/** A task whose workers ended this often when it was its turn is given up: it may be what ends them. */
const MAX_UNLUCKY = 2;
/** One frame runs on a worker, and one waits for it there: it is never idle between two. */
const MAX_FRAMES = 2;

/**
 * The queue of a pool, and what goes from it to the workers and back.
 *
 * Invariants: there are never more than `maxWorkers` workers, those that are ending included; a task is on one worker at most and starts at most once, unless
 * it said that it may start again; a worker is ended only when the task it runs at that moment is given up, and its place is free only when it is gone.
 */
export class Scheduler {
  readonly #settings: SchedulerSettings;
  readonly #queue = new TaskQueue();
  readonly #signals: TaskSignals = new AbortGroups((tasks, reason) => this.#abort(tasks, reason));
  readonly #workers: Workers;
  readonly #deadlines: Deadlines;
  readonly #ended = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;
  /** Tasks that were sent and are not settled. */
  #sent = 0;
  #pumpIsDue = false;
  /** While inputs are copied, a getter in one of them may abort or close: what follows from that waits until the tasks are on their way. */
  readonly #copying = new Deferral();
  #closed = false;

  constructor(settings: SchedulerSettings) {
    this.#settings = settings;
    this.#deadlines = new Deadlines(settings.clock, {
      collect: (slot) => this.#collect(slot),
      timedOut: (task) => this.#timedOut(task),
      stuck: (slot) => {
        slot.isStuck = true;
        this.#recall(slot);
      },
      unresponsive: (slot) => {
        if (slot.current?.moves === true) this.#timedOut(slot.current);
        this.#recall(slot);
        this.#workers.stop(slot);
      },
    });
    this.#workers = new Workers(settings, {
      ready: (slot) => this.#release(slot),
      rung: (slot) => this.#collect(slot),
      startFailed: (error) => this.#startFailed(error),
      exited: (slot, exit) => this.#exited(slot, exit),
    });
    this.#workers.start(0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get workers(): Workers {
    return this.#workers;
  }

  get counts(): { readonly [K in 'workers' | 'idle' | 'starting' | 'running' | 'waiting']: number } {
    const { size, idle, starting } = this.#workers;
    return { workers: size, idle: idle.size, starting, running: this.#sent, waiting: this.#queue.size };
  }

  /** @throws what refuses the task: a `ClosedError`, a {@link PoolQueueFullError}, or the reason of its signal */
  submit(request: TaskRequest, { unbounded = false }: { readonly unbounded?: boolean } = {}): Promise<unknown> {
    if (this.#closed) throw this.#closedError();
    const { how } = request;
    how.signal?.throwIfAborted();
    how.waitSignal?.throwIfAborted();
    const { maxQueue, maxWorkers, component, clock, log } = this.#settings;
    // A task that a worker is free for, or can be started for, does not count as waiting.
    if (!unbounded && this.#queue.bounded + this.#sent >= maxWorkers + maxQueue) {
      log.refused();
      const pending = Math.max(0, this.#queue.bounded + this.#sent - maxWorkers);
      throw new PoolQueueFullError(component, { pending, limit: maxQueue });
    }
    const now = clock.now();
    const task = new PoolTask(request, now, this.#signals);
    task.isBounded = !unbounded;
    if (how.timeoutFrom === 'submit') task.limit(() => this.#timedOut(task));
    this.#queue.push(task, how.priority, now);
    this.#pumpSoon();
    return task.promise;
  }

  /** Resolves when nothing waits and nothing runs. */
  drain(): Promise<void> {
    if (this.#queue.size + this.#sent === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Takes no more; resolves when everything has been done, or refused if `force`, and the last worker is gone. */
  close(force: boolean): Promise<void> {
    this.#closed = true;
    this.#workers.close();
    if (this.#copying.defers(() => void this.close(force))) return this.#ended.promise;
    if (force) {
      for (let task = this.#queue.shift(); task; task = this.#queue.shift()) task.reject(this.#closedError());
      for (const slot of this.#workers) this.#collect(slot);
      for (const slot of this.#workers) {
        for (const task of slot.abandon()) {
          this.#sent--;
          task.reject(this.#closedError());
        }
        this.#workers.stop(slot);
      }
    }
    this.#checkIdle();
    return this.#ended.promise;
  }

  /** After everything that is submitted together: only then is it known what can travel together. */
  #pumpSoon(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    queueMicrotask(() => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#queue.size > 0) {
      const slot = this.#workers.idle.pop() ?? this.#spare();
      if (slot === undefined) break;
      this.#fill(slot);
    }
    this.#workers.start(this.#queue.size);
  }

  /** A worker that will soon be done with what it has. */
  #spare(): WorkerSlot | undefined {
    // What moves to a worker cannot be taken back from it.
    if (!this.#settings.coalesce || this.#queue.peek()?.moves === true) return undefined;
    // When there is work for everyone, nobody would have been faster.
    const soon = this.#queue.size > this.#workers.size ? 2 * FRAME_TIME : FRAME_TIME;
    for (const slot of this.#workers) {
      if (slot.state !== 'busy' || slot.isStuck || slot.frames >= MAX_FRAMES) continue;
      if (slot.inFlight >= slot.handle.window) continue;
      if (slot.served < this.#settings.maxTasksPerWorker && slot.estimate <= soon) return slot;
    }
    return undefined;
  }

  #fill(slot: WorkerSlot): void {
    const { coalesce, maxWorkers, maxTasksPerWorker } = this.#settings;
    const room = Math.min(slot.handle.window - slot.inFlight, maxTasksPerWorker - slot.served);
    const most = coalesce ? Math.min(room, largestFrame(this.#queue.size, maxWorkers)) : 1;
    const first = this.#queue.shift() as PoolTask;
    const tasks = [first];
    let time = first.call.estimate ?? Infinity;
    let next = first.isAlone ? undefined : this.#queue.peek();
    while (next !== undefined && tasks.length < most) {
      const { estimate } = next.call;
      if (!joins(time, { estimate, isAlone: next.isAlone })) break;
      this.#queue.remove(next);
      tasks.push(next);
      time += estimate as number;
      next = this.#queue.peek();
    }
    this.#send(slot, tasks, first.call.mode === 'one' ? time : Infinity);
    this.#afterSend(slot);
  }

  #send(slot: WorkerSlot, tasks: readonly PoolTask[], estimate: number): void {
    try {
      const startedAt = this.#settings.clock.now();
      this.#copying.during(() => slot.send(tasks, { estimate, now: startedAt }));
      const copyTime = (this.#settings.clock.now() - startedAt) / tasks.length;
      for (const { call } of tasks) call.learnCopy(copyTime);
    } catch (error) {
      if (!(error instanceof InputFailure)) throw error;
      const [task] = tasks as [PoolTask];
      // Nothing of it was sent: one of the inputs cannot be cloned, and only that one fails.
      if (tasks.length > 1) for (const each of tasks) this.#send(slot, [each], estimate / tasks.length);
      else this.#fail(task, () => new TaskCloneError({ task: task.call.name, direction: 'input', cause: error.cause }));
      return;
    }
    this.#sent += tasks.length;
    slot.state = 'busy';
    this.#settings.log.sent(tasks.length);
  }

  #afterSend(slot: WorkerSlot): void {
    if (slot.inFlight === 0) this.#release(slot);
    else this.#deadlines.watch(slot);
  }

  #collect(slot: WorkerSlot): void {
    slot.collect((task, answer) => this.#finish(task, answer));
    if (slot.state !== 'busy') return;
    if (slot.inFlight === 0) this.#release(slot);
    else if (this.#queue.size > 0) this.#pumpSoon();
    this.#checkIdle();
  }

  #finish(task: PoolTask, { outcome, startedAt, endedAt }: Answer): void {
    const runTime = Math.max(0, endedAt - startedAt);
    this.#sent--;
    (task.slot as WorkerSlot).busyTime += runTime;
    if (task.call.mode === 'one') task.call.learn(runTime);
    if (outcome === undefined) return;
    this.#settings.log.finished(outcome, {
      mode: task.call.mode,
      waited: Math.max(0, startedAt - task.submittedAt),
      ran: runTime,
    });
    task.settle(outcome);
  }

  #fail(task: PoolTask, make: () => unknown): void {
    if (task.state === 'sent') this.#sent--;
    this.#settings.log.failed();
    task.fail(make);
  }

  /** A worker is free: for the next task, unless it has served its time. */
  #release(slot: WorkerSlot): void {
    const { maxTasksPerWorker, maxHeapPerWorker } = this.#settings;
    this.#deadlines.forget(slot);
    if (slot.served >= maxTasksPerWorker || slot.handle.heap > maxHeapPerWorker) this.#workers.stop(slot);
    else this.#workers.idle.push(slot);
    if (this.#queue.size > 0) this.#pumpSoon();
    this.#checkIdle();
  }

  #abort(tasks: readonly PoolTask[], reason: unknown): void {
    if (this.#copying.defers(() => this.#abort(tasks, reason))) return;
    for (const task of tasks) {
      if (task.state === 'settled') continue;
      this.#settings.log.aborted();
      this.#giveUp(task);
      task.reject(reason);
    }
    this.#checkIdle();
  }

  #timedOut(task: PoolTask): void {
    if (task.state === 'settled') return;
    this.#settings.log.timedOut();
    const { timeout, timeoutFrom } = task.how;
    this.#giveUp(task);
    task.fail(() => new TaskTimeoutError(task.call.name, timeout, timeoutFrom));
    this.#checkIdle();
  }

  /** The caller stops waiting. What runs cannot be stopped but with its worker; its neighbours go elsewhere. */
  #giveUp(task: PoolTask): void {
    this.#queue.remove(task);
    const { slot, sequence } = task;
    if (task.state !== 'sent' || slot === undefined) return;
    this.#sent--;
    slot.drop(task);
    if (slot.handle.revoke(sequence)) return;
    // Now nothing else can start on this worker.
    this.#recall(slot);
    slot.collect((each, answer) => this.#finish(each, answer));
    if (slot.has(sequence)) this.#workers.stop(slot);
    else this.#collect(slot);
  }

  /** Takes back what a worker has not started. */
  #recall(slot: WorkerSlot): void {
    for (const task of slot.recall()) this.#requeue(task);
    if (this.#queue.size > 0) this.#pumpSoon();
  }

  #requeue(task: PoolTask): void {
    this.#sent--;
    task.unsend();
    const { waitSignal } = task.how;
    if (waitSignal?.aborted === true) {
      this.#settings.log.aborted();
      task.reject(waitSignal.reason);
    } else this.#queue.restore(task);
  }

  /** Tasks are left to the workers that live; without any, they would wait for ever. No other is started by this: it would fail as well. */
  #startFailed(error: unknown): void {
    if (this.#workers.size === 0) {
      for (let task = this.#queue.shift(); task; task = this.#queue.shift()) this.#fail(task, () => error);
    }
    this.#checkIdle();
  }

  #exited(slot: WorkerSlot, exit: WorkerExit): void {
    const { state } = slot;
    this.#deadlines.forget(slot);
    slot.collect((task, answer) => this.#finish(task, answer));
    const unstarted = slot.recall();
    const started = slot.abandon();
    // The one whose turn it was may be what ended the worker, before it could say that it started.
    const suspect = started.length === 0 ? unstarted[0] : undefined;
    for (const task of started) if (!task.how.restartable || !this.#retry(task)) this.#lost(task, exit);
    for (const task of unstarted) {
      if (task !== suspect) this.#requeue(task);
      else if (!this.#retry(task)) this.#lost(task, exit);
    }
    slot.handle.release();
    // A minimum is kept, but not by starting again and again what ends before it was of any use.
    if (state !== 'starting' && (slot.served > 0 || this.#queue.size > 0)) this.#pump();
    this.#checkIdle();
  }

  #retry(task: PoolTask): boolean {
    if (task.moves || task.unlucky >= MAX_UNLUCKY) return false;
    task.unlucky++;
    this.#requeue(task);
    return true;
  }

  #lost(task: PoolTask, exit: WorkerExit): void {
    this.#fail(task, () => new WorkerExitError(task.call.name, exit));
  }

  #checkIdle(): void {
    if (this.#queue.size + this.#sent > 0) return;
    this.#drained?.resolve(afterFailures());
    this.#drained = undefined;
    if (!this.#closed) return;
    for (const slot of this.#workers) this.#workers.stop(slot);
    if (this.#workers.size === 0) this.#ended.resolve();
  }

  #closedError(): ClosedError {
    return new ClosedError(this.#settings.component, 'PERF_POOL_CLOSED');
  }
}
