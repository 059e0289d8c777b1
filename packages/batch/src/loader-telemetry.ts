import type { Link, Meter, MetricOptions, UpDownCounter } from '@opentelemetry/api';
import {
  type LazyCounter,
  type LazyHistogram,
  LazyMeter,
  LazyTracer,
  activeSpanContext,
  systemClock,
} from '@perf/core';
import { SCOPE, SECONDS, SIZES } from './batch-metrics.ts';
import type { LoaderCounts } from './loader-counts.ts';

const DURATION: MetricOptions = {
  unit: 's',
  description: 'Time a batch took to load',
  advice: SECONDS,
};

const SIZE: MetricOptions = {
  unit: '{key}',
  description: 'Keys in a batch',
  advice: SIZES,
};

/** What telemetry is told of a batch. */
export interface LoadedBatch {
  readonly name: string;
  readonly size: number;
  readonly callers: Map<string, Link> | undefined;
}

let shared: LoaderTelemetry | undefined;

/** One for all loaders: services make new ones for each request. */
export function loaderTelemetry(): LoaderTelemetry {
  return (shared ??= new LoaderTelemetry());
}

/** Metrics and spans of the loaders, by their names. What they cost without an SDK is paid once a batch. */
export class LoaderTelemetry {
  readonly #meter: LazyMeter = new LazyMeter(SCOPE);
  readonly #tracer: LazyTracer = new LazyTracer(SCOPE);
  readonly #duration: LazyHistogram = this.#meter.histogram('perf.batch.load.duration', DURATION);
  readonly #size: LazyHistogram = this.#meter.histogram('perf.batch.load.size', SIZE);
  readonly #loads: LazyCounter = this.#meter.counter('perf.batch.loads', {
    unit: '{load}',
    description: 'Loads, by whether their promise was there already',
  });
  readonly #errors: LazyCounter = this.#meter.counter('perf.batch.load.errors', {
    unit: '{key}',
    description: 'Keys that could not be loaded',
  });
  #pending: { readonly meter: Meter; readonly counter: UpDownCounter } | undefined = undefined;

  /** Whether an SDK listens. */
  get active(): boolean {
    return this.tracing || this.metering;
  }

  /** Whether somebody traces. */
  get tracing(): boolean {
    return this.#tracer.current() !== undefined;
  }

  get metering(): boolean {
    return this.#meter.current() !== undefined;
  }

  /** Notes the span a load is made in, to link its batch to. */
  addCaller(callers: Map<string, Link>): void {
    const context = activeSpanContext();
    if (context !== undefined) callers.set(context.spanId, { context });
  }

  /** Adds what came since the last time. */
  count(name: string, counts: LoaderCounts): void {
    if (this.metering) this.#count(name, counts);
  }

  #count(name: string, counts: LoaderCounts): void {
    const { hits, misses, errors, reported: before } = counts;
    counts.reported = { hits, misses, errors };
    this.#loads.add(hits - before.hits, { 'perf.batch.name': name, 'perf.batch.hit': true });
    this.#loads.add(misses - before.misses, { 'perf.batch.name': name, 'perf.batch.hit': false });
    this.#errors.add(errors - before.errors, { 'perf.batch.name': name });
  }

  /** Counts `size` keys of a batch as pending, of which `reported` are counted already. Returns how many are now. */
  countPending(name: string, size: number, reported: number): number {
    if (size === reported || !this.metering) return reported;
    const meter = this.#meter.current() as Meter;
    try {
      if (this.#pending?.meter !== meter) {
        const options = { unit: '{key}', description: 'Keys that wait to be loaded or are being loaded' };
        this.#pending = { meter, counter: meter.createUpDownCounter('perf.batch.load.pending', options) };
      }
      this.#pending.counter.add(size - reported, { 'perf.batch.name': name });
    } catch {
      // A broken SDK never hurts a load.
    }
    return size;
  }

  /** Runs the loading of a batch in a span that links to those its loads were made in, and records its size and duration. */
  batch(batch: LoadedBatch, run: () => Promise<unknown>): Promise<unknown> {
    const { name, size, callers } = batch;
    const start = systemClock.now();
    const attributes = { 'perf.batch.name': name, 'perf.batch.size': size };
    const links = [...(callers?.values() ?? [])];
    const answer = this.#tracer.span('perf.batch.load', { attributes, links }, run);
    const record = (): void => {
      this.#size.record(size, { 'perf.batch.name': name });
      this.#duration.record((systemClock.now() - start) / 1000, { 'perf.batch.name': name });
    };
    answer.then(record, record);
    return answer;
  }
}
