import type { Transferable } from 'node:worker_threads';
import {
  type Closeable,
  type StatsSource,
  checkBoolean,
  checkDuration,
  checkName,
  checkOptions,
  checkPositiveInteger,
  checkSignal,
  startTimer,
  systemClock,
} from '@perf/core';
import { checkPriority } from './check-waiting.ts';
import { checkIterable } from './map-concurrent.ts';
import type { Reply } from './frame.ts';
import { poolMap } from './pool-map.ts';
import { PoolTelemetry } from './pool-telemetry.ts';
import type { TaskRequest } from './pool-task.ts';
import { readResult } from './read-reply.ts';
import { Scheduler } from './scheduler.ts';
import { workerStarter } from './start-worker.ts';
import { type TaskCounts, TaskLog } from './task-log.ts';
import { type ResolvedOptions, type WorkerPoolOptions, resolveOptions } from './worker-pool-options.ts';

/** Options of {@link WorkerPool.run}. */
export interface RunOptions {
  /** The export of the module to call. @default 'default' */
  readonly name?: string | undefined;
  /** Ends the task at once, with `signal.reason`. If it runs, its worker is ended: nothing else stops a busy one. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds it may run. @default the pool's `taskTimeout` */
  readonly timeout?: number | undefined;
  /** Who goes first: one point is worth one second of waiting. Any finite number. @default 0 */
  readonly priority?: number | undefined;
  /** What of the task moves to the worker instead of being copied. A child process copies everything. */
  readonly transferList?: readonly Transferable[] | undefined;
}

/** Options of {@link WorkerPool.map}. */
export interface MapOptions {
  /** The export of the module to call. @default 'default' */
  readonly name?: string | undefined;
  /** How many items are sent together at most; `'auto'` measures how long one takes. @default 'auto' */
  readonly chunkSize?: 'auto' | number | undefined;
  /** Ends the iteration at once, with `signal.reason`, and the workers of it that are busy. */
  readonly signal?: AbortSignal | undefined;
  /** Whether results come in the order of the items, or as soon as they are ready. @default true */
  readonly ordered?: boolean | undefined;
}

/** Options of {@link WorkerPool.close}. */
export interface PoolCloseOptions {
  /** Rejects everything that waits or runs with a `ClosedError` and ends the workers. @default false */
  readonly force?: boolean | undefined;
  /** Milliseconds after which a close becomes a forced one. @default Infinity */
  readonly timeout?: number | undefined;
}

/** What {@link WorkerPool.stats} reports. */
export interface PoolStats extends TaskCounts {
  /** Workers that exist, those that are starting or ending included. */
  readonly workers: number;
  readonly idle: number;
  readonly starting: number;
  /** Tasks that run now. */
  readonly running: number;
  /** Tasks that wait now. */
  readonly waiting: number;
}

const RUN_OPTIONS = ['name', 'signal', 'timeout', 'priority', 'transferList'];
const MAP_OPTIONS = ['name', 'chunkSize', 'signal', 'ordered'];
const CLOSE_OPTIONS = ['force', 'timeout'];

/**
 * Runs the exports of a module on worker threads or child processes.
 *
 * A task starts at most once. What goes wrong with it is its own rejection; when a worker dies, the task it ran rejects and all others run elsewhere.
 */
export class WorkerPool implements Closeable, StatsSource<PoolStats> {
  readonly #options: ResolvedOptions;
  readonly #telemetry: PoolTelemetry;
  readonly #log: TaskLog;
  readonly #scheduler: Scheduler;
  readonly #stopObserving: () => void;

  /** Starts `minWorkers` workers. @throws RangeError, TypeError for a bad option */
  constructor(options: WorkerPoolOptions) {
    this.#options = resolveOptions(options);
    this.#telemetry = new PoolTelemetry(this.#options.name);
    this.#log = new TaskLog(this.#telemetry);
    this.#scheduler = new Scheduler({
      ...this.#options,
      component: `worker pool '${this.#options.name}'`,
      startWorker: workerStarter(this.#options),
      clock: systemClock,
      log: this.#log,
    });
    this.#stopObserving = this.#telemetry.observe(this);
  }

  get closed(): boolean {
    return this.#scheduler.closed;
  }

  /**
   * Calls an export of the module with `task` on a worker, as `fn(task, context)` (see {@link TaskContext}), and resolves with what it returns.
   * Both are copied by structured clone.
   *
   * Rejects with what the function throws; with `signal.reason`; with a {@link TaskTimeoutError}, {@link PoolQueueFullError}, {@link TaskCloneError},
   * {@link TaskLoadError}, {@link WorkerExitError}, {@link WorkerStartError} or `ClosedError`.
   */
  run<R = unknown>(task: unknown, options: RunOptions = {}): Promise<R> {
    // Not an async function: the caller gets the promise of the task itself, which is settled before `drain` resolves.
    try {
      const request = this.#request(task, options);
      const submit = (): Promise<R> => this.#scheduler.submit(request) as Promise<R>;
      return this.#telemetry.traced(request.name, submit);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #request(task: unknown, options: RunOptions): TaskRequest {
    checkOptions('run()', options, RUN_OPTIONS);
    const { name = 'default', timeout = this.#options.taskTimeout, priority = 0, signal, transferList } = options;
    checkName('name', name);
    checkDuration('timeout', timeout);
    checkPriority(priority);
    if (signal !== undefined) checkSignal('signal', signal);
    const { url } = this.#options;
    return { url, name, items: [task], timeout, priority, signal, transferList, read: readResult };
  }

  /**
   * Calls an export of the module for each item and yields the results. Items are sent in chunks; the input is pulled as results are taken, so
   * that memory is bounded however long it is. It waits for room by itself: `maxQueue` does not count here.
   *
   * The first failure ends the iteration (in order: after the results before it). Then, and when the consumer stops early, chunks that wait are dropped,
   * those that run are waited for, and the source is closed. The pool's `taskTimeout` holds for each item on average over its chunk.
   *
   * @throws RangeError, TypeError for a bad option
   */
  map<R = unknown>(
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions = {},
  ): AsyncIterableIterator<R> & AsyncDisposable {
    checkIterable(items);
    checkOptions('map()', options, MAP_OPTIONS);
    const { name = 'default', chunkSize = 'auto', signal, ordered = true } = options;
    checkName('name', name);
    checkBoolean('ordered', ordered);
    if (signal !== undefined) checkSignal('signal', signal);
    if (chunkSize !== 'auto') checkPositiveInteger('chunkSize', chunkSize);
    const { url, maxWorkers, taskTimeout } = this.#options;
    const common = { url, name, priority: 0, signal, read: wholeReply };
    return poolMap(items, {
      runChunk: async (chunk, waitSignal) => {
        const request = { ...common, items: chunk, timeout: taskTimeout * chunk.length, waitSignal };
        return (await this.#scheduler.submit(request, { unbounded: true })) as Reply;
      },
      url,
      name,
      workers: maxWorkers,
      chunkSize,
      ordered,
      signal,
    }) as AsyncGenerator<R, undefined, undefined>;
  }

  stats(): PoolStats {
    return { ...this.#scheduler.counts, ...this.#log.counts() };
  }

  /** Resolves when no task waits or runs. The pool stays open. */
  drain(): Promise<void> {
    return this.#scheduler.drain();
  }

  /**
   * Refuses new tasks, lets those that wait or run finish, ends the workers and resolves when the last one is gone. Idempotent; a later
   * call can still force it.
   */
  async close(options: PoolCloseOptions = {}): Promise<void> {
    checkOptions('close()', options, CLOSE_OPTIONS);
    const { force = false, timeout = Infinity } = options;
    checkBoolean('force', force);
    checkDuration('timeout', timeout);
    const closed = this.#scheduler.close(force);
    const timer = startTimer(() => void this.#scheduler.close(true), timeout);
    await closed;
    timer.cancel();
    this.#stopObserving();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function wholeReply(reply: Reply): Reply {
  return reply;
}
