import { PerfError, QueueFullError, TimeoutError } from '@perf/core';

/** The bounded queue of a pool or limiter refused one more entry. Code `PERF_POOL_QUEUE_FULL`. */
export class PoolQueueFullError extends QueueFullError {
  constructor(component: string, facts: { readonly pending: number; readonly limit: number }) {
    super(component, { ...facts, code: 'PERF_POOL_QUEUE_FULL' });
  }

  override get name(): string {
    return 'PoolQueueFullError';
  }
}

/** A task ran longer than its timeout, and was ended with its worker. Code `PERF_POOL_TASK_TIMEOUT`. */
export class TaskTimeoutError extends TimeoutError {
  /** The export that was running. */
  readonly task: string;

  constructor(task: string, timeout: number, from: 'start' | 'submit' = 'start') {
    const what = from === 'start' ? 'ran longer than' : 'was not done within';
    super(`task \`${task}\` ${what} ${timeout} ms`, {
      timeout,
      code: 'PERF_POOL_TASK_TIMEOUT',
    });
    this.task = task;
  }

  override get name(): string {
    return 'TaskTimeoutError';
  }
}

/** What a {@link TaskCloneError} reports. */
export interface TaskCloneFacts {
  /** The export that was called. */
  readonly task: string;
  /** What could not cross between the threads or processes. */
  readonly direction: 'input' | 'result';
  /** What the structured clone algorithm said. */
  readonly cause: unknown;
}

/** The input or the result of a task cannot be cloned. The worker is unharmed. Code `PERF_POOL_CLONE`. */
export class TaskCloneError extends PerfError {
  /** The export that was called. */
  readonly task: string;
  /** What could not cross between the threads or processes. An uncloneable input was never started. */
  readonly direction: 'input' | 'result';

  constructor({ task, direction, cause }: TaskCloneFacts) {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    super('PERF_POOL_CLONE', `the ${direction} of task \`${task}\` cannot be cloned${why}`, { cause });
    this.task = task;
    this.direction = direction;
  }

  override get name(): string {
    return 'TaskCloneError';
  }
}

/**
 * The module of a task could not be imported (`cause` says why), or it has no such function. Other modules and other exports
 * still run. Code `PERF_POOL_LOAD`.
 */
export class TaskLoadError extends PerfError {
  /** URL of the module. */
  readonly url: string;
  /** The export that was asked for. */
  readonly task: string;

  constructor(url: string, task: string, options?: ErrorOptions) {
    const what = options === undefined ? `exports no function \`${task}\`` : 'cannot be imported';
    super('PERF_POOL_LOAD', `${url} ${what}`, options);
    this.url = url;
    this.task = task;
  }

  override get name(): string {
    return 'TaskLoadError';
  }
}

/** How a worker ended. */
export interface WorkerExit {
  /** The exit code; `undefined` when a signal ended the process. */
  readonly exitCode: number | undefined;
  /** The signal that ended a child process. */
  readonly signalCode: string | undefined;
  /** Present when an error ended the worker: what it threw (anything), or `ERR_WORKER_OUT_OF_MEMORY`. */
  readonly error?: { readonly value: unknown };
}

/** A worker ended while it ran this task: it crashed, ran out of memory or exited. Code `PERF_POOL_WORKER_EXIT`. */
export class WorkerExitError extends PerfError {
  /** The export that was running. */
  readonly task: string;
  /** The worker's exit code; `undefined` when a signal ended it. */
  readonly exitCode: number | undefined;
  /** The signal that ended a child process. */
  readonly signalCode: string | undefined;

  constructor(task: string, exit: WorkerExit) {
    super('PERF_POOL_WORKER_EXIT', `the worker ended while it ran task \`${task}\` (${describeExit(exit)})`, {
      ...(exit.error && { cause: exit.error.value }),
    });
    this.task = task;
    this.exitCode = exit.exitCode;
    this.signalCode = exit.signalCode;
  }

  override get name(): string {
    return 'WorkerExitError';
  }
}

/** A worker ended before it could take a task: bad `resourceLimits`, no memory, no processes left. Code `PERF_POOL_WORKER_START`. */
export class WorkerStartError extends PerfError {
  /** The worker's exit code; `undefined` when it never ran or a signal ended it. */
  readonly exitCode: number | undefined;

  constructor(exit: WorkerExit) {
    super('PERF_POOL_WORKER_START', `a worker could not start (${describeExit(exit)})`, {
      ...(exit.error && { cause: exit.error.value }),
    });
    this.exitCode = exit.exitCode;
  }

  override get name(): string {
    return 'WorkerStartError';
  }
}

/** An {@link AdaptiveLimiter} is at its limit and refused the call at once. Code `PERF_POOL_SHED`. */
export class LimitExceededError extends PerfError {
  /** How many calls may run at once right now. */
  readonly limit: number;
  /** Milliseconds after which a new attempt is worth it: about what one call takes now. */
  readonly retryAfter: number;

  constructor(component: string, facts: { readonly limit: number; readonly retryAfter: number }) {
    super('PERF_POOL_SHED', `${component} is at its limit of ${facts.limit}; retry in ${facts.retryAfter} ms`);
    this.limit = facts.limit;
    this.retryAfter = facts.retryAfter;
  }

  override get name(): string {
    return 'LimitExceededError';
  }
}

function describeExit({ exitCode, signalCode, error }: WorkerExit): string {
  if (signalCode !== undefined) return `signal ${signalCode}`;
  const why = error?.value instanceof Error ? `: ${error.value.message}` : '';
  return exitCode === undefined ? `not started${why}` : `exit code ${exitCode}${why}`;
}

/** What ended a worker that was not ended by its pool. */
export type CrashCause = 'exit' | 'error' | 'memory' | 'signal' | 'start';

/** @param state what the worker was doing */
export function crashCause({ signalCode, error }: WorkerExit, state: string): CrashCause {
  if (state === 'starting') return 'start';
  if (signalCode !== undefined) return 'signal';
  if (error === undefined) return 'exit';
  const { code } = Object(error.value) as { readonly code?: unknown };
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'error';
}
