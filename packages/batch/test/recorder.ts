import { vi } from 'vitest';
import type { BatchContext } from '../src/index.ts';

/** One call of `execute`, to be answered by the test. */
export interface RecordedCall<Op, R> {
  readonly ops: readonly Op[];
  readonly context: BatchContext;
  readonly answer: (results: readonly (R | Error)[]) => Promise<void>;
  readonly fail: (error: unknown) => Promise<void>;
}

/** Runs everything that is due now: promise jobs, ticks and timers of zero milliseconds. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** An `execute` whose calls wait for the test to answer them. */
export class Recorder<Op, R = Op> {
  readonly calls: RecordedCall<Op, R>[] = [];

  execute = (ops: readonly Op[], context: BatchContext): Promise<readonly (R | Error)[]> =>
    new Promise((resolve, reject) => {
      const then = (act: () => void): Promise<void> => {
        act();
        return settle();
      };
      this.calls.push({
        ops,
        context,
        answer: (results) => then(() => resolve(results)),
        fail: (error) => then(() => reject(error)),
      });
    });

  get batches(): (readonly Op[])[] {
    return this.calls.map(({ ops }) => ops);
  }

  /** The call number `index`, which must have been made. */
  call(index: number): RecordedCall<Op, R> {
    const call = this.calls[index];
    if (call === undefined) throw new Error(`execute was called ${this.calls.length} times only`);
    return call;
  }
}

/** What became of `promise` so far. */
export function watch<T>(promise: Promise<T>): { outcome: PromiseSettledResult<T> | undefined } {
  const watched: { outcome: PromiseSettledResult<T> | undefined } = { outcome: undefined };
  void Promise.allSettled([promise]).then(([outcome]) => (watched.outcome = outcome));
  return watched;
}
