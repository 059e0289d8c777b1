import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serialize } from 'node:v8';
import {
  checkBoolean,
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  checkCount,
  checkRange,
} from '@perf/core';
import { checkQueueLimit } from './check-waiting.ts';
import { recommendedConcurrency } from './recommended-concurrency.ts';

/**
 * What a worker may use; a limit that is not given is Node's own. A worker that goes over is ended, and its task rejects with a {@link WorkerExitError}.
 *
 * For a thread this stops JavaScript that fills the heap. V8 cannot stop its own builtins in time (one huge array or string), nor
 * always a loop that calls no function, and then ends the whole process; a child process dies alone.
 */
export interface WorkerResourceLimits {
  /** The main heap, in MiB; at least 8. */
  readonly maxOldGenerationSizeMb?: number;
  /** The heap of young objects, in MiB. */
  readonly maxYoungGenerationSizeMb?: number;
  /** Memory for generated code, in MiB; threads only. */
  readonly codeRangeSizeMb?: number;
  /** The stack, in MiB; threads only. */
  readonly stackSizeMb?: number;
}

/** Options of a {@link WorkerPool}. */
export interface WorkerPoolOptions {
  /** The module whose exports are the tasks: a URL or an absolute path. Loaded by each worker when it runs the first of them. */
  readonly filename: string | URL;
  /** Threads start faster and share memory; processes survive crashes of native code and end for certain. @default 'worker_threads' */
  readonly runtime?: 'worker_threads' | 'child_process';
  /** Workers to keep even if idle; they are started at once. An idle worker never keeps the process alive. @default 0 */
  readonly minWorkers?: number;
  /** Workers there may be. @default `recommendedConcurrency('cpu')`, or `minWorkers` if that is more */
  readonly maxWorkers?: number;
  /** Milliseconds after which an idle worker is ended; `Infinity` for never. @default 30_000 */
  readonly idleTimeout?: number;
  /** How many tasks may wait while all workers are busy; one more is refused with a {@link PoolQueueFullError}. @default Infinity */
  readonly maxQueue?: number;
  /** Milliseconds a task may run, from its start on a worker; then the worker is ended. @default Infinity */
  readonly taskTimeout?: number;
  /** Tasks after which a worker is replaced by a fresh one. @default Infinity */
  readonly maxTasksPerWorker?: number;
  /** Where a timeout counts from: the start of the task on a worker, or its submission, so that waiting counts too. @default 'start' */
  readonly timeoutFrom?: 'start' | 'submit';
  /** Bytes of heap after which a worker is replaced by a fresh one, when it has nothing to do. What was not collected yet counts. @default Infinity */
  readonly maxHeapPerWorker?: number;
  /** Whether short tasks that are submitted close together travel in one message. @default true */
  readonly coalesce?: boolean;
  /**
   * Asked for each task when it is submitted; what it returns can be read in the worker with {@link carriedValue}, in everything the task does. Give it the value
   * of an `AsyncLocalStorage`. It is cloned with the task.
   */
  readonly carry?: () => unknown;
  /** What each worker may use. @default Node's own limits */
  readonly resourceLimits?: WorkerResourceLimits;
  /** Given to each task as `context.workerData`: one copy per worker. @default undefined */
  readonly workerData?: unknown;
  /** The workers' environment. @default a copy of `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Names the pool in errors and metrics. @default 'worker-pool' */
  readonly name?: string;
}

/** Options with nothing left open. */
export interface ResolvedOptions {
  readonly url: string;
  readonly runtime: 'worker_threads' | 'child_process';
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly idleTimeout: number;
  readonly maxQueue: number;
  readonly taskTimeout: number;
  readonly maxTasksPerWorker: number;
  readonly timeoutFrom: 'start' | 'submit';
  readonly maxHeapPerWorker: number;
  readonly coalesce: boolean;
  readonly carry: (() => unknown) | undefined;
  readonly resourceLimits: WorkerResourceLimits | undefined;
  readonly workerData: unknown;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly name: string;
}

const OPTIONS = [
  'filename',
  'runtime',
  'minWorkers',
  'maxWorkers',
  'idleTimeout',
  'maxQueue',
  'taskTimeout',
  'maxTasksPerWorker',
  'timeoutFrom',
  'maxHeapPerWorker',
  'coalesce',
  'carry',
  'resourceLimits',
  'workerData',
  'env',
  'name',
];
/** Where a timeout may count from. */
export const TIMEOUT_FROM = ['start', 'submit'] as const;
const THREAD_LIMITS = ['codeRangeSizeMb', 'stackSizeMb'];
/** With less, V8 cannot even start a thread, and ends the whole process instead (seen below 4 on Node 24). */
const LEAST_HEAP = 8;
const LIMITS = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', ...THREAD_LIMITS];

/** Checks the options of a pool and fills in the defaults. */
export function resolveOptions(options: WorkerPoolOptions): ResolvedOptions {
  checkOptions('WorkerPool', options, OPTIONS);
  const { runtime = 'worker_threads', minWorkers = 0, idleTimeout = 30_000, maxQueue = Infinity } = options;
  const { taskTimeout = Infinity, maxTasksPerWorker = Infinity, name = 'worker-pool', env = process.env } = options;
  const { filename, resourceLimits, workerData, carry, coalesce = true, timeoutFrom = 'start' } = options;
  const { maxHeapPerWorker = Infinity } = options;
  if (carry !== undefined) checkFunction('carry', carry);
  checkCount('minWorkers', minWorkers);
  const { maxWorkers = Math.max(minWorkers, recommendedConcurrency('cpu')) } = options;
  checkPositiveInteger('maxWorkers', maxWorkers);
  checkRange('maxWorkers', maxWorkers, { min: minWorkers, max: Number.MAX_SAFE_INTEGER });
  checkOneOf('runtime', runtime, ['worker_threads', 'child_process']);
  checkLimits(resourceLimits, runtime);
  checkWorkerData(workerData, runtime);
  checkEnv(env);
  return {
    url: checkFilename(filename),
    runtime,
    minWorkers,
    maxWorkers,
    idleTimeout: checkDuration('idleTimeout', idleTimeout),
    maxQueue: checkQueueLimit('maxQueue', maxQueue),
    taskTimeout: checkDuration('taskTimeout', taskTimeout),
    maxTasksPerWorker: checkLimit('maxTasksPerWorker', maxTasksPerWorker),
    timeoutFrom: checkOneOf('timeoutFrom', timeoutFrom, TIMEOUT_FROM),
    maxHeapPerWorker: checkLimit('maxHeapPerWorker', maxHeapPerWorker),
    coalesce: checkBoolean('coalesce', coalesce),
    carry,
    resourceLimits,
    workerData,
    env,
    name: checkName('name', name),
  };
}

function checkFilename(filename: unknown): string {
  if (filename instanceof URL) return filename.href;
  if (typeof filename === 'string') {
    if (isAbsolute(filename)) return pathToFileURL(filename).href;
    if (/^(file|data):/.test(filename)) return filename;
  }
  const got = typeof filename === 'string' ? JSON.stringify(filename) : typeof filename;
  throw new TypeError(`\`filename\` must be a URL or an absolute path, got ${got}`);
}

function checkLimits(limits: WorkerResourceLimits | undefined, runtime: string): void {
  if (limits === undefined) return;
  checkOptions('resourceLimits', limits, LIMITS);
  for (const [key, value] of Object.entries(limits) as [string, unknown][]) {
    const min = key === 'maxOldGenerationSizeMb' ? LEAST_HEAP : 1;
    checkRange(`resourceLimits.${key}`, value, { min, max: 2 ** 31 });
    if (runtime === 'child_process' && THREAD_LIMITS.includes(key)) {
      throw new TypeError(`\`resourceLimits.${key}\` is for the runtime 'worker_threads' only`);
    }
  }
}

function checkEnv(env: unknown): void {
  if (typeof env !== 'object' || env === null) throw new TypeError(`\`env\` must be an object, got ${typeof env}`);
}

/** Found out here, rather than by each worker that cannot start. */
function checkWorkerData(workerData: unknown, runtime: string): void {
  try {
    if (runtime === 'child_process') serialize(workerData);
    else structuredClone(workerData);
  } catch (cause) {
    throw new TypeError('`workerData` must be cloneable', { cause });
  }
}
