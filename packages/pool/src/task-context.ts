import type { Transferable } from 'node:worker_threads';
import { carriedValue } from './carried.ts';
import { Transferred } from './transferred.ts';

/** The second argument of a function that runs in a worker. */
export interface TaskContext {
  /** What the pool was given as `workerData`: one copy per worker. */
  readonly workerData: unknown;
  /** What the pool's option `carry` returned when this task was submitted; the same as {@link carriedValue}. */
  readonly carried: unknown;
  /**
   * To return: `value`, with what is in `transferList` (array buffers, ports) moved to the caller instead of copied. A child process copies.
   */
  readonly transfer: <R>(value: R, transferList: readonly Transferable[]) => R;
}

export function createContext(workerData: unknown): TaskContext {
  return {
    workerData,
    get carried(): unknown {
      return carriedValue();
    },
    // The dispatcher unwraps it: for the types, and for the caller, the function returns the value.
    transfer: <R>(value: R, transferList: readonly Transferable[]) =>
      new Transferred(value, transferList) as unknown as R,
  };
}
