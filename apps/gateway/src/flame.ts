import { WorkerPool } from '@perf/pool';
import { startCpuProfile } from '@perf/profiler';
import { type Closeable, delay } from '@perf/core';

/** Makes flame graphs of this process; the work of drawing them runs on a worker, out of the way of the calls. */
export class FlameService implements Closeable {
  readonly #workers = new WorkerPool({
    name: 'flame',
    filename: new URL('./flame-worker.ts', import.meta.url),
    // A profile that is too big for a heap ends a process of its own, not the gateway.
    runtime: 'child_process',
    minWorkers: 0,
    maxWorkers: 1,
    idleTimeout: 10_000,
  });

  get closed(): boolean {
    return this.#workers.closed;
  }

  /** A page with the flame graph of the coming `milliseconds` of this thread. */
  async record(milliseconds: number): Promise<string> {
    const recording = startCpuProfile();
    await delay(milliseconds);
    return this.#workers.run<string>(recording.stop(), { name: 'draw' });
  }

  close(): Promise<void> {
    return this.#workers.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
