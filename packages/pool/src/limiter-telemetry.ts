import { type LazyHistogram, LazyMeter } from '@perf/core';
import type { AdaptiveLimiter } from './adaptive-limiter.ts';
import type { Limiter } from './limiter.ts';

const INSTRUMENTS = {
  'perf.pool.limiter.limit': { kind: 'gauge', unit: '{call}', description: 'How much may run at once' },
  'perf.pool.limiter.running': { kind: 'upDownCounter', unit: '{call}', description: 'Calls that run now' },
  'perf.pool.limiter.waiting': { kind: 'upDownCounter', unit: '{call}', description: 'Calls that wait for their turn' },
  'perf.pool.limiter.completed': { kind: 'counter', unit: '{call}', description: 'Calls that have ended' },
  'perf.pool.limiter.refused': { kind: 'counter', unit: '{call}', description: 'Calls refused at once' },
  'perf.pool.limiter.aborted': { kind: 'counter', unit: '{call}', description: 'Calls that stopped waiting' },
} as const;

/** Seconds: from a query to a request that hangs. */
const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What a limiter tells OpenTelemetry. */
export class LimiterTelemetry {
  readonly #meter = new LazyMeter('@perf/pool');
  readonly #attributes: { readonly 'perf.pool.name': string };
  readonly #wait: LazyHistogram;
  readonly #duration: LazyHistogram;

  constructor(name: string) {
    this.#attributes = { 'perf.pool.name': name };
    const advice = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
    this.#wait = this.#meter.histogram('perf.pool.limiter.wait', {
      ...advice,
      description: 'Time calls that had to wait did so before their turn',
    });
    this.#duration = this.#meter.histogram('perf.pool.limiter.duration', {
      ...advice,
      description: 'Time calls that went well took',
    });
  }

  /** Whether an SDK listens. Each call asks, so that one registered later is noticed. */
  get enabled(): boolean {
    return this.#meter.current() !== undefined;
  }

  /** @param duration milliseconds */
  waited(duration: number): void {
    this.#wait.record(duration / 1_000, this.#attributes);
  }

  /** @param duration milliseconds */
  ran(duration: number): void {
    this.#duration.record(duration / 1_000, this.#attributes);
  }

  /** Reports the numbers of a limiter whenever an SDK collects. Returns what stops it. */
  observe(limiter: Limiter): () => void {
    const attributes = this.#attributes;
    return this.#meter.observe(limiter, INSTRUMENTS, (owner, observe) => {
      const stats = owner.stats();
      observe('perf.pool.limiter.limit', stats.maxConcurrent, attributes);
      observe('perf.pool.limiter.running', stats.running, attributes);
      observe('perf.pool.limiter.waiting', stats.waiting, attributes);
      observe('perf.pool.limiter.completed', stats.completed, attributes);
      observe('perf.pool.limiter.refused', stats.refused, attributes);
      observe('perf.pool.limiter.aborted', stats.aborted, attributes);
    });
  }

  /** Like {@link observe}; nothing ever waits in an adaptive limiter. */
  observeAdaptive(limiter: AdaptiveLimiter): () => void {
    const attributes = this.#attributes;
    return this.#meter.observe(limiter, INSTRUMENTS, (owner, observe) => {
      const stats = owner.stats();
      observe('perf.pool.limiter.limit', stats.limit, attributes);
      observe('perf.pool.limiter.running', stats.running, attributes);
      observe('perf.pool.limiter.completed', stats.completed, attributes);
      observe('perf.pool.limiter.refused', stats.shed, attributes);
    });
  }
}
