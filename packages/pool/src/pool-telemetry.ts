import { type LazyHistogram, LazyMeter, LazyTracer } from '@perf/core';
import type { DurationObserver } from './task-log.ts';
import type { WorkerPool } from './worker-pool.ts';

const INSTRUMENTS = {
  'perf.pool.workers': { kind: 'upDownCounter', unit: '{worker}', description: 'Workers that exist' },
  'perf.pool.workers.busy': { kind: 'upDownCounter', unit: '{worker}', description: 'Workers that run a task' },
  'perf.pool.workers.lost': {
    kind: 'counter',
    unit: '{worker}',
    description: 'Workers that ended by themselves, by cause',
  },
  'perf.pool.worker.utilization': { kind: 'gauge', unit: '1', description: 'Share of its life a worker ran tasks' },
  'perf.pool.frames': { kind: 'counter', unit: '{frame}', description: 'Messages that took tasks to workers' },
  'perf.pool.queue.size': { kind: 'upDownCounter', unit: '{task}', description: 'Tasks that wait for a worker' },
  'perf.pool.tasks': { kind: 'counter', unit: '{task}', description: 'Tasks that have ended, by outcome' },
} as const;

const OUTCOMES = ['completed', 'failed', 'timedOut', 'aborted', 'refused'] as const;
const ATTRIBUTE = {
  completed: 'completed',
  failed: 'failed',
  timedOut: 'timed_out',
  aborted: 'aborted',
  refused: 'refused',
};

/** Seconds: from a tiny task to a long one. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** What a pool tells OpenTelemetry. */
export class PoolTelemetry implements DurationObserver {
  readonly #tracer = new LazyTracer('@perf/pool');
  readonly #attributes: { readonly 'perf.pool.name': string };
  readonly #meter = new LazyMeter('@perf/pool');
  readonly #wait: LazyHistogram;
  readonly #run: LazyHistogram;
  readonly #frame: LazyHistogram;

  constructor(name: string) {
    this.#attributes = { 'perf.pool.name': name };
    const advice = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
    this.#wait = this.#meter.histogram('perf.pool.task.wait', {
      ...advice,
      description: 'Time tasks wait for a worker',
    });
    this.#run = this.#meter.histogram('perf.pool.task.duration', { ...advice, description: 'Time tasks run' });
    this.#frame = this.#meter.histogram('perf.pool.frame.tasks', {
      unit: '{task}',
      description: 'Tasks that travel together',
      advice: { explicitBucketBoundaries: [1, 2, 4, 8, 16, 32, 64, 128, 256] },
    });
  }

  /** Reports the numbers of a pool whenever an SDK collects. Returns what stops it. */
  observe(pool: WorkerPool): () => void {
    const attributes = this.#attributes;
    return this.#meter.observe(pool, INSTRUMENTS, (owner, observe) => {
      const stats = owner.stats();
      observe('perf.pool.workers', stats.workers, attributes);
      observe('perf.pool.workers.busy', stats.busy, attributes);
      observe('perf.pool.frames', stats.frames, attributes);
      for (const [cause, count] of Object.entries(stats.crashes)) {
        observe('perf.pool.workers.lost', count, { ...attributes, 'perf.pool.cause': cause });
      }
      for (const { index, utilization } of stats.perWorker) {
        observe('perf.pool.worker.utilization', utilization, { ...attributes, 'perf.pool.worker': index });
      }
      observe('perf.pool.queue.size', stats.waiting, attributes);
      for (const outcome of OUTCOMES) {
        observe('perf.pool.tasks', stats[outcome], { ...attributes, 'perf.pool.outcome': ATTRIBUTE[outcome] });
      }
    });
  }

  /** Whether an SDK wants spans. */
  get traces(): boolean {
    return this.#tracer.current() !== undefined;
  }

  /** Runs `work` in a span of its own. */
  traced<R>(task: string, work: () => R): R {
    const attributes = { ...this.#attributes, 'perf.pool.task': task };
    return this.#tracer.span('perf.pool.run', { attributes }, work);
  }

  waited(duration: number): void {
    this.#wait.record(duration / 1_000, this.#attributes);
  }

  ran(duration: number): void {
    this.#run.record(duration / 1_000, this.#attributes);
  }

  sent(tasks: number): void {
    this.#frame.record(tasks, this.#attributes);
  }
}
