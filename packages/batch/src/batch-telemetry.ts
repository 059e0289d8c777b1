import type { Attributes, Link, MetricOptions } from '@opentelemetry/api';
import {
  type LazyHistogram,
  LazyMeter,
  LazyTracer,
  type ObservedInstrument,
  activeSpanContext,
  systemClock,
} from '@perf/core';
import type { Batch } from './batch.ts';
import type { BatcherStats } from './batcher-stats.ts';

const SCOPE = '@perf/batch';

const OBSERVED = {
  'perf.batch.pending': { kind: 'upDownCounter', unit: '{operation}', description: 'Operations added and not settled' },
  'perf.batch.in_flight': { kind: 'upDownCounter', unit: '{batch}', description: 'Batches being executed' },
  'perf.batch.operations': { kind: 'counter', unit: '{operation}', description: 'Operations settled, by outcome' },
  'perf.batch.shared': { kind: 'counter', unit: '{operation}', description: 'Reads that shared an execution' },
  'perf.batch.retries': { kind: 'counter', unit: '{operation}', description: 'Operations sent again' },
} as const satisfies Record<string, ObservedInstrument>;

const DURATION: MetricOptions = {
  unit: 's',
  description: 'Time from sending a batch to its end',
  advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
};

const SIZE: MetricOptions = {
  unit: '{operation}',
  description: 'Operations in a batch',
  advice: { explicitBucketBoundaries: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000] },
};

/** Metrics and spans of one batcher; nearly free while no OpenTelemetry SDK is registered. */
export class BatchTelemetry {
  readonly #name: string;
  readonly #meter: LazyMeter = new LazyMeter(SCOPE);
  readonly #tracer: LazyTracer = new LazyTracer(SCOPE);
  readonly #duration: LazyHistogram;
  readonly #size: LazyHistogram;

  constructor(name: string) {
    this.#name = name;
    this.#duration = this.#meter.histogram('perf.batch.duration', DURATION);
    this.#size = this.#meter.histogram('perf.batch.size', SIZE);
  }

  /** Reports the numbers of `owner` whenever the SDK collects. Returns what stops it. */
  observe(owner: { stats(): BatcherStats }): () => void {
    const common = { 'perf.batch.name': this.#name };
    return this.#meter.observe(owner, OBSERVED, (source, observe) => {
      const stats = source.stats();
      observe('perf.batch.pending', stats.pending, common);
      observe('perf.batch.in_flight', stats.inFlight, common);
      for (const outcome of ['succeeded', 'failed', 'withdrawn', 'refused'] as const) {
        observe('perf.batch.operations', stats[outcome], { ...common, 'perf.batch.outcome': outcome });
      }
      observe('perf.batch.shared', stats.shared, common);
      observe('perf.batch.retries', stats.retried, common);
    });
  }

  /** The span active now, to link a batch to; `undefined` while nobody traces. */
  caller(): Link | undefined {
    if (this.#tracer.current() === undefined) return undefined;
    const context = activeSpanContext();
    return context && { context };
  }

  /** Runs a batch in a span that links to the spans its operations were added in, and records its size and duration. */
  batch<Op, R>(batch: Batch<Op, R>, run: () => Promise<unknown>): Promise<unknown> {
    if (!this.#duration.enabled && this.#tracer.current() === undefined) return run();
    const start = systemClock.now();
    const { size, attempt, group } = batch.facts;
    const attributes: Attributes = { 'perf.batch.name': this.#name, 'perf.batch.group': group };
    let answer: Promise<unknown> | undefined;
    // A tracer or meter that throws must not cost the batch: what it is given is `answer`, what it makes of it is dropped.
    try {
      const facts = { ...attributes, 'perf.batch.size': size, 'perf.batch.attempt': attempt };
      const spanned = this.#tracer.span('perf.batch.execute', { attributes: facts, links: linksOf(batch) }, () => {
        answer = run();
        return answer;
      });
      spanned.catch(() => {});
    } catch {}
    answer ??= run();
    const record = (): void => {
      this.#size.record(size, attributes);
      this.#duration.record((systemClock.now() - start) / 1000, attributes);
    };
    answer.then(record, record).catch(() => {});
    return answer;
  }
}

/** One link for each span operations of the batch were added in. */
function linksOf<Op, R>(batch: Batch<Op, R>): Link[] {
  const links = new Map<string, Link>();
  for (const { place } of batch.operations) {
    if (place.caller !== undefined) links.set(place.caller.context.spanId, place.caller);
  }
  return [...links.values()];
}
