import { type Clock, isPromiseLike } from '@perf/core';
import { getHeapStatistics } from 'node:v8';
import type { ErrorReporter } from './error-reporter.ts';
import type { PressureLevel } from './pressure-level.ts';

/** How much to give up: what is not needed (`elevated`), or all that can be made again (`critical`). */
export type ReliefLevel = Exclude<PressureLevel, 'normal'>;

/**
 * Frees memory, synchronously: drops references, closes what is idle. May return how many things it dropped.
 * Work that has to wait belongs in `monitor.onPressure`.
 */
export type Reliever = (level: ReliefLevel) => number | void;

/**
 * When relief collects garbage: not at all, once at the end, or before the first and after each reliever. A full collection stops the process for
 * a time that grows with the live heap: a second and more for gigabytes.
 */
export type ReliefGc = 'never' | 'once' | 'each';

/** Memory this thread's JavaScript holds, and the process's, in bytes. */
export interface MemoryUse {
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

/** What one reliever did. */
export interface ReliefStep {
  readonly name: string;
  /** Bytes of heap and external memory less than before it; negative when more. */
  readonly freed: number;
  /** How many things it says it dropped. */
  readonly items: number | undefined;
  /** Milliseconds, its collection not included. */
  readonly took: number;
  /** What it threw; `undefined` when it did not. */
  readonly error: unknown;
}

/** What a relief did; each number is measured, none is what a reliever claims. */
export interface ReliefReport {
  readonly level: ReliefLevel;
  /**
   * How garbage was collected. With `'never'`, `freed` shows next to nothing: what was dropped is garbage that was not collected yet.
   * With `'once'` the total is right and the steps are not; with `'each'` both are.
   */
  readonly gc: ReliefGc;
  readonly before: MemoryUse;
  readonly after: MemoryUse;
  /** Bytes of heap and external memory less than before; negative when more. */
  readonly freed: number;
  /** Milliseconds, collections included. */
  readonly took: number;
  readonly steps: readonly ReliefStep[];
}

/** What a relief works with. */
export interface ReliefContext {
  readonly level: ReliefLevel;
  /** Makes a full collection; `undefined` for none. */
  readonly collect: (() => void) | undefined;
  readonly gc: ReliefGc;
  readonly clock: Clock;
  readonly errors: ErrorReporter;
}

/** Runs the relievers in the given order. They run synchronously, so that what is measured between two of them is theirs alone. */
export function runRelief(
  relievers: Iterable<readonly [name: string, Reliever]>,
  context: ReliefContext,
): ReliefReport {
  const { level, collect, gc, clock } = context;
  const start = clock.now();
  const collectEach = gc === 'each' ? collect : undefined;
  collectEach?.();
  const before = measure();
  const steps: ReliefStep[] = [];
  let last = before;
  for (const [name, reliever] of relievers) {
    const step = runStep(name, reliever, context);
    collectEach?.();
    const now = measure();
    steps.push({ ...step, freed: held(last) - held(now) });
    last = now;
  }
  if (gc === 'once') collect?.();
  const after = measure();
  return { level, gc, before, after, freed: held(before) - held(after), took: clock.now() - start, steps };
}

function runStep(name: string, reliever: Reliever, { level, clock, errors }: ReliefContext): Omit<ReliefStep, 'freed'> {
  const start = clock.now();
  try {
    const answer: unknown = reliever(level);
    if (isPromiseLike(answer)) {
      answer.then(undefined, () => {});
      throw new TypeError(`reliever ${JSON.stringify(name)} must be synchronous, but it returned a promise`);
    }
    return {
      name,
      items: typeof answer === 'number' ? answer : undefined,
      took: clock.now() - start,
      error: undefined,
    };
  } catch (error) {
    errors.report(`reliever ${JSON.stringify(name)}`, error);
    return { name, items: undefined, took: clock.now() - start, error };
  }
}

function measure(): MemoryUse {
  const heap = getHeapStatistics();
  return { heapUsed: heap.used_heap_size, external: heap.external_memory, rss: process.memoryUsage.rss() };
}

function held({ heapUsed, external }: MemoryUse): number {
  return heapUsed + external;
}
