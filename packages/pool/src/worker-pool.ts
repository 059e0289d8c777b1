import type { Transferable } from 'node:worker_threads';
import {
  type Closeable,
  type StatsSource,
  activeSpanContext,
  checkBoolean,
  checkDuration,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  checkSignal,
  startTimer,
  systemClock,
} from '@perf/core';
import { checkPriority } from './check-waiting.ts';
import { checkIterable } from './map-concurrent.ts';
import { type Call, CallTable } from './call-table.ts';
import type { Carried, Reply } from './frame.ts';
import { type RangeResult, type SharedView, planRanges, runPlan } from './map-range.ts';
import { poolMap } from './pool-map.ts';
import { PoolTelemetry } from './pool-telemetry.ts';
import type { TaskManner, TaskRequest } from './pool-task.ts';
import { Scheduler } from './scheduler.ts';
import { workerStarter } from './start-worker.ts';
import { type TaskCounts, TaskLog } from './task-log.ts';
import { type ResolvedOptions, TIMEOUT_FROM, type WorkerPoolOptions, resolveOptions } from './worker-pool-options.ts';

/** Options of {@link WorkerPool.run}. */
export interface RunOptions {
  /** The export of the module to call. @default 'default' */
  readonly name?: string | undefined;
  /** Ends the task at once, with `signal.reason`. If it runs, its worker is ended: nothing else stops a busy one. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds it may run. @default the pool's `taskTimeout` */
  readonly timeout?: number | undefined;
  /** Where the timeout counts from. @default the pool's `timeoutFrom` */
  readonly timeoutFrom?: 'start' | 'submit' | undefined;
  /** Whether it may be started again, twice at most, when its worker is lost while it runs. @default false */
  readonly restartable?: boolean | undefined;
  /** Who goes first: one point is worth one second of waiting. From -1e9 to 1e9. @default 0 */
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

/** Options of {@link WorkerPool.mapRange}. */
export interface MapRangeOptions {
  /** The export of the module to call. @default 'default' */
  readonly name?: string | undefined;
  /** How many elements there are. @default the length of the arrays in `data` */
  readonly length?: number | undefined;
  /** The fewest elements to work on at once: so many that calling a function does not matter. @default 1 */
  readonly grain?: number | undefined;
  /** Ends it at once, with `signal.reason`, and the workers that are at it. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds each worker may be at it. @default the pool's `taskTimeout` */
  readonly timeout?: number | undefined;
}

/** How one worker is doing. */
export interface WorkerStats {
  /** Tells it apart from the others that live now: from 0, and free for another one when it is gone. */
  readonly index: number;
  /** The share of its life it ran tasks: from 0 to 1. */
  readonly utilization: number;
  /** Tasks it was given. */
  readonly tasks: number;
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
  /** Workers that have tasks. */
  readonly busy: number;
  /** Tasks that run now, or were sent to a worker that runs another one. */
  readonly running: number;
  /** Tasks that wait now. */
  readonly waiting: number;
  readonly perWorker: readonly WorkerStats[];
}

const RUN_OPTIONS = ['name', 'signal', 'timeout', 'timeoutFrom', 'restartable', 'priority', 'transferList'];
const RUN_OPTION_SET = new Set(RUN_OPTIONS);
const MAP_RANGE_OPTIONS = ['name', 'length', 'grain', 'signal', 'timeout'];
const NO_OPTIONS: RunOptions = {};
const MAP_OPTIONS = ['name', 'chunkSize', 'signal', 'ordered'];
const CLOSE_OPTIONS = ['force', 'timeout'];

/**
 * Runs the exports of a module on worker threads or child processes.
 *
 * A task starts at most once. What goes wrong with it is its own rejection; when a worker dies, the task it ran rejects and all others run elsewhere.
 */
export class WorkerPool implements Closeable, StatsSource<PoolStats> {
  readonly #options: ResolvedOptions;
  readonly #calls: CallTable;
  /** How the last task was to be run: the next one is mostly the same. */
  #lastManner: TaskManner | undefined;
  readonly #telemetry: PoolTelemetry;
  readonly #log: TaskLog;
  readonly #scheduler: Scheduler;
  readonly #stopObserving: () => void;

  /** Starts `minWorkers` workers. @throws RangeError, TypeError for a bad option */
  constructor(options: WorkerPoolOptions) {
    this.#options = resolveOptions(options);
    this.#calls = new CallTable(this.#options.url);
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
  run<R = unknown>(task: unknown, options: RunOptions = NO_OPTIONS): Promise<R> {
    // Not an async function: the caller gets the promise of the task itself.
    try {
      if (this.#telemetry.traces) {
        return this.#telemetry.traced(options.name ?? 'default', () => this.#submit(task, options)) as Promise<R>;
      }
      return this.#submit(task, options) as Promise<R>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #submit(task: unknown, options: RunOptions): Promise<unknown> {
    return this.#scheduler.submit(this.#request(task, options));
  }

  #request(item: unknown, options: RunOptions): TaskRequest {
    checkRunOptions(options);
    const { name = 'default', timeout = this.#options.taskTimeout, priority = 0, signal, transferList } = options;
    const { timeoutFrom = this.#options.timeoutFrom, restartable = false } = options;
    const last = this.#lastManner;
    const isSame =
      last?.call.name === name &&
      last.timeout === timeout &&
      last.timeoutFrom === timeoutFrom &&
      last.priority === priority &&
      last.restartable === restartable &&
      last.signal === signal &&
      last.transferList === transferList;
    if (isSame) return { how: last, item, carried: this.#carried() };
    checkName('name', name);
    checkDuration('timeout', timeout);
    checkOneOf('timeoutFrom', timeoutFrom, TIMEOUT_FROM);
    checkBoolean('restartable', restartable);
    checkPriority(priority);
    if (signal !== undefined) checkSignal('signal', signal);
    const how = { call: this.#calls.get(name), timeout, timeoutFrom, priority, restartable, signal, transferList };
    // What belongs to one task is not to be kept.
    this.#lastManner = signal === undefined && transferList === undefined ? how : undefined;
    return { how, item, carried: this.#carried() };
  }

  #carried(): Carried | undefined {
    const { carry } = this.#options;
    const span = this.#telemetry.traces ? activeSpanContext() : undefined;
    if (carry === undefined && span === undefined) return undefined;
    return {
      ...(carry && { value: carry() }),
      ...(span && { span: { traceId: span.traceId, spanId: span.spanId, traceFlags: span.traceFlags } }),
    };
  }

  /**
   * Has each of `count` workers load the module and call `name` with `task`, so that the first real tasks do not wait for it: the workers are started if they
   * are not there. Resolves when all of them did.
   */
  async warmUp(
    task: unknown,
    options: { readonly name?: string | undefined; readonly count?: number } = {},
  ): Promise<void> {
    checkOptions('warmUp()', options, ['name', 'count']);
    const { name = 'default', count = this.#options.maxWorkers } = options;
    checkName('name', name);
    checkRange('count', checkPositiveInteger('count', count), { min: 1, max: this.#options.maxWorkers });
    await this.#scheduler.workers.ensure(count);
    const request = this.#request(task, { name });
    await Promise.all(Array.from({ length: count }, () => this.#scheduler.submit(request, { unbounded: true })));
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
    const { maxWorkers, taskTimeout } = this.#options;
    const call = this.#calls.get(name, 'each');
    const carried = this.#carried();
    const common = { ...background(call), signal };
    return poolMap(items, {
      runChunk: async (chunk, waitSignal) => {
        const how = { ...common, timeout: taskTimeout * chunk.length, waitSignal };
        return (await this.#scheduler.submit({ how, item: chunk, carried }, { unbounded: true })) as Reply;
      },
      call,
      workers: maxWorkers,
      chunkSize,
      ordered,
      signal,
    }) as AsyncGenerator<R, undefined, undefined>;
  }

  /**
   * Has all workers work on data in shared memory, which is not copied: calls an export as `fn({ data, start, end }, context)` for ranges that together cover
   * each element once. Each worker claims the next range when it is done with one, large ones first, so that they end together. Resolves with what was returned for each
   * range, in order. The first failure is the rejection; it comes when no worker is at it any more.
   *
   * @param data a typed array over a `SharedArrayBuffer`, or an object with such arrays (and whatever else can be cloned)
   * @throws RangeError, TypeError for bad data or a bad option; threads only
   */
  async mapRange<R = void>(
    data: SharedView | Readonly<Record<string, unknown>>,
    options: MapRangeOptions = {},
  ): Promise<RangeResult<R>[]> {
    checkOptions('mapRange()', options, MAP_RANGE_OPTIONS);
    const { runtime, maxWorkers, taskTimeout } = this.#options;
    const { name = 'default', length, grain, signal, timeout = taskTimeout } = options;
    checkName('name', name);
    checkDuration('timeout', timeout);
    if (signal !== undefined) checkSignal('signal', signal);
    if (runtime !== 'worker_threads') throw new TypeError('`mapRange()` needs threads: processes share no memory');
    const plan = planRanges(data, { length, grain, workers: maxWorkers });
    const how = { ...background(this.#calls.get(name, 'ranges')), timeout, signal };
    const carried = this.#carried();
    return runPlan(data, plan, (item) => this.#scheduler.submit({ how, item, carried }, { unbounded: true }));
  }

  stats(): PoolStats {
    const now = systemClock.now();
    const perWorker: WorkerStats[] = [];
    let busy = 0;
    for (const { index, busyTime, startedAt, served, state } of this.#scheduler.workers) {
      if (state === 'busy') busy++;
      const utilization = Math.min(1, busyTime / Math.max(1e-3, now - startedAt));
      perWorker.push({ index, utilization, tasks: served });
    }
    return { ...this.#scheduler.counts, busy, ...this.#log.counts(), perWorker };
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

/** What the parts of a map have in common. */
function background(call: Call): Pick<TaskManner, 'call' | 'timeoutFrom' | 'priority' | 'restartable'> {
  return { call, timeoutFrom: 'start', priority: 0, restartable: false };
}

/** Like `checkOptions`, which makes a list of the keys. */
function checkRunOptions(options: RunOptions): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
    let isKnown = true;
    for (const key in options) isKnown &&= RUN_OPTION_SET.has(key);
    if (isKnown) return;
  }
  checkOptions('run()', options, RUN_OPTIONS);
}
