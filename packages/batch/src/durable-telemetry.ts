/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Attributes, Link, MetricOptions } from '@opentelemetry/api';
import { type LazyCounter, type LazyHistogram, LazyMeter, LazyTracer, systemClock } from '@perf/core';
import { SCOPE, SECONDS, SIZES } from './batch-metrics.ts';
import { traceparentLink } from './traceparent.ts';

const OPERATIONS: MetricOptions = { unit: '{operation}', description: 'Operations executed, by outcome' };

const SIZE: MetricOptions = {
  unit: '{operation}',
  description: 'Operations in a batch of a durable worker',
  advice: SIZES,
};

const DURATION: MetricOptions = {
  unit: 's',
  description: 'Time of one call of execute of a durable worker',
  advice: SECONDS,
};

/** The call a span is made for. */
export interface CallFacts {
  readonly group: string;
  readonly partition: number;
  readonly attempt: number;
  readonly size: number;
  /** The `traceparent` of each operation that has one. */
  readonly callers: Iterable<string>;
}

/** Metrics and spans of one durable worker; nearly free while no OpenTelemetry SDK is registered. */
export class DurableTelemetry {
  readonly #name: string;
  readonly #meter: LazyMeter = new LazyMeter(SCOPE);
  readonly #tracer: LazyTracer = new LazyTracer(SCOPE);
  readonly #operations: LazyCounter;
  readonly #size: LazyHistogram;
  readonly #duration: LazyHistogram;

  constructor(name: string) {
    this.#name = name;
    this.#operations = this.#meter.counter('perf.batch.durable.operations', OPERATIONS);
    this.#size = this.#meter.histogram('perf.batch.durable.size', SIZE);
    this.#duration = this.#meter.histogram('perf.batch.durable.duration', DURATION);
  }

  /** Runs a call of `execute` in a span that links to the spans its operations were added in, in whichever process. */
  async call<T>(facts: CallFacts, run: () => Promise<T>): Promise<T> {
    const { group, partition, attempt, size } = facts;
    const common: Attributes = { 'perf.batch.name': this.#name, 'perf.batch.group': group };
    const attributes = {
      ...common,
      'perf.batch.partition': partition,
      'perf.batch.size': size,
      'perf.batch.attempt': attempt,
    };
    const links = this.#tracer.current() === undefined ? [] : linksOf(facts.callers);
    const start = systemClock.now();
    try {
      return await this.#tracer.span('perf.batch.durable.execute', { attributes, links }, run);
    } finally {
      this.#size.record(size, common);
      this.#duration.record((systemClock.now() - start) / 1000, common);
    }
  }

  settled(outcome: 'succeeded' | 'failed' | 'retried', count: number): void {
    if (count > 0) this.#operations.add(count, { 'perf.batch.name': this.#name, 'perf.batch.outcome': outcome });
  }
}

function linksOf(callers: Iterable<string>): Link[] {
  return [...new Set(callers)].map(traceparentLink).filter((link) => link !== undefined);
}
