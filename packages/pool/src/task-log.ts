import { Histogram } from '@perf/core';
import type { Reply } from './frame.ts';

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
  /** Milliseconds from submission to start; `NaN` before the first. */
  readonly waitP50: number;
  readonly waitP99: number;
  /** Milliseconds from start to result, crossing included; `NaN` before the first. */
  readonly runP50: number;
  readonly runP99: number;
}

/** Who wants to know the durations as they are measured. In milliseconds. */
export interface DurationObserver {
  waited(duration: number): void;
  ran(duration: number): void;
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

  constructor(observer: DurationObserver) {
    this.#observer = observer;
  }

  started(waited: number): void {
    this.#wait.record(waited);
    this.#observer.waited(waited);
  }

  finished(reply: Reply, duration: number): void {
    const failures = reply.failures?.length ?? 0;
    this.#failed += failures;
    // A result that could not be cloned has a place among the results as well.
    const unusable = reply.failures?.filter(({ index }) => index < reply.results.length).length ?? 0;
    this.#completed += reply.results.length - unusable;
    this.#run.record(duration);
    this.#observer.ran(duration);
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

  workerLost(): void {
    this.#workersLost++;
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
      waitP50: this.#wait.quantile(0.5),
      waitP99: this.#wait.quantile(0.99),
      runP50: this.#run.quantile(0.5),
      runP99: this.#run.quantile(0.99),
    };
  }
}
