import { Histogram } from '@perf/core';
import { type CrashCause, type WorkerExit, crashCause } from './errors.ts';
import type { CallMode, Outcome, Reply } from './frame.ts';

/** What became of the tasks and workers of a pool, counted. */
export interface TaskCounts {
  /** Tasks whose function returned; items of `map` count each. */
  readonly completed: number;
  /** Tasks that threw, could not be cloned or loaded, or lost their worker. */
  readonly failed: number;
  readonly timedOut: number;
  readonly aborted: number;
  /** Tasks refused because `maxQueue` were waiting. */
  readonly refused: number;
  /** Workers started so far. */
  readonly workersStarted: number;
  /** Workers that ended by themselves: crashed, out of memory, exited, could not start. */
  readonly workersLost: number;
  /** Those, by what ended them. */
  readonly crashes: Readonly<Record<CrashCause, number>>;
  /** Messages that took tasks to workers. */
  readonly frames: number;
  /** Tasks that they took; chunks of `map` count once. */
  readonly tasksSent: number;
  /** Milliseconds from submission to start; `NaN` before the first. */
  readonly waitP50: number;
  readonly waitP99: number;
  /** Milliseconds from start to end on the worker; `NaN` before the first. */
  readonly runP50: number;
  readonly runP99: number;
}

/** Who wants to know the durations as they are measured. In milliseconds. */
export interface DurationObserver {
  waited(duration: number): void;
  ran(duration: number): void;
  /** A message took this many tasks to a worker. */
  sent(tasks: number): void;
}

/** Counts what becomes of the tasks and workers of a pool. */
export class TaskLog {
  readonly #observer: DurationObserver;
  readonly #wait = new Histogram();
  readonly #run = new Histogram();
  #completed = 0;
  #failed = 0;
  #timedOut = 0;
  #aborted = 0;
  #refused = 0;
  #workersStarted = 0;
  #workersLost = 0;
  readonly #crashes = { exit: 0, error: 0, memory: 0, signal: 0, start: 0 };
  #frames = 0;
  #tasksSent = 0;

  constructor(observer: DurationObserver) {
    this.#observer = observer;
  }

  sent(tasks: number): void {
    this.#frames++;
    this.#tasksSent += tasks;
    this.#observer.sent(tasks);
  }

  finished(outcome: Outcome, facts: { readonly mode: CallMode; readonly waited: number; readonly ran: number }): void {
    if (outcome[1] !== undefined) this.#failed++;
    else if (facts.mode === 'each') this.#countChunk(outcome[0] as Reply);
    else this.#completed++;
    this.#wait.record(facts.waited);
    this.#run.record(facts.ran);
    this.#observer.waited(facts.waited);
    this.#observer.ran(facts.ran);
  }

  #countChunk({ results, failures = [] }: Reply): void {
    this.#failed += failures.length;
    // A result that could not be cloned has a place among the results as well.
    this.#completed += results.length - failures.filter(({ index }) => index < results.length).length;
  }

  failed(): void {
    this.#failed++;
  }

  timedOut(): void {
    this.#timedOut++;
  }

  aborted(): void {
    this.#aborted++;
  }

  refused(): void {
    this.#refused++;
  }

  workerStarted(): void {
    this.#workersStarted++;
  }

  /** @param state what it was doing */
  workerLost(exit: WorkerExit, state: string): void {
    this.#workersLost++;
    this.#crashes[crashCause(exit, state)]++;
  }

  counts(): TaskCounts {
    return {
      completed: this.#completed,
      failed: this.#failed,
      timedOut: this.#timedOut,
      aborted: this.#aborted,
      refused: this.#refused,
      workersStarted: this.#workersStarted,
      workersLost: this.#workersLost,
      crashes: { ...this.#crashes },
      frames: this.#frames,
      tasksSent: this.#tasksSent,
      waitP50: this.#wait.quantile(0.5),
      waitP99: this.#wait.quantile(0.99),
      runP50: this.#run.quantile(0.5),
      runP99: this.#run.quantile(0.99),
    };
  }
}
