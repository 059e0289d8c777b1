import type { Attributes, Link, MetricOptions, Span, SpanContext } from '@opentelemetry/api';
import {
  type LazyHistogram,
  LazyMeter,
  LazyTracer,
  type ObservedInstrument,
  activeSpan,
  systemClock,
} from '@perf/core';
import type { Batch } from './batch.ts';
import { SCOPE, SECONDS, SIZES } from './batch-metrics.ts';
import type { BatcherStats } from './batcher-stats.ts';
import type { Operation } from './operation.ts';

const OBSERVED = {
  'perf.batch.pending': { kind: 'upDownCounter', unit: '{operation}', description: 'Operations added and not settled' },
  'perf.batch.pending_bytes': { kind: 'upDownCounter', unit: 'By', description: 'Their size' },
  'perf.batch.parked': { kind: 'upDownCounter', unit: '{operation}', description: 'Operations that wait for room' },
  'perf.batch.in_flight': { kind: 'upDownCounter', unit: '{batch}', description: 'Batches being executed' },
  'perf.batch.operations': { kind: 'counter', unit: '{operation}', description: 'Operations settled, by outcome' },
  'perf.batch.shared': { kind: 'counter', unit: '{operation}', description: 'Reads that shared an execution' },
  'perf.batch.merged': { kind: 'counter', unit: '{operation}', description: 'Operations merged into one that waited' },
  'perf.batch.retries': { kind: 'counter', unit: '{operation}', description: 'Operations sent again' },
  'perf.batch.retries_denied': {
    kind: 'counter',
    unit: '{operation}',
    description: 'Not sent again for want of budget',
  },
  'perf.batch.parts': { kind: 'counter', unit: '{batch}', description: 'Parts of batches that failed as a whole' },
  'perf.batch.max_size': { kind: 'gauge', unit: '{operation}', description: 'The most a batch may hold now' },
} as const satisfies Record<string, ObservedInstrument>;

const DURATION: MetricOptions = { unit: 's', description: 'Time from sending a batch to its end', advice: SECONDS };

const WAIT: MetricOptions = {
  unit: 's',
  description: 'Time from adding the first operation of a batch to sending it, retries aside',
  advice: SECONDS,
};

const SIZE: MetricOptions = {
  unit: '{operation}',
  description: 'Operations in a batch',
  advice: SIZES,
};

/** Metrics and spans of one batcher; nearly free while no OpenTelemetry SDK is registered. */
export class BatchTelemetry {
  readonly #name: string;
  readonly #meter: LazyMeter = new LazyMeter(SCOPE);
  readonly #tracer: LazyTracer = new LazyTracer(SCOPE);
  readonly #duration: LazyHistogram;
  readonly #size: LazyHistogram;
  readonly #wait: LazyHistogram;

  constructor(name: string) {
    this.#name = name;
    this.#duration = this.#meter.histogram('perf.batch.duration', DURATION);
    this.#size = this.#meter.histogram('perf.batch.size', SIZE);
    this.#wait = this.#meter.histogram('perf.batch.wait', WAIT);
  }

  /** Reports the numbers of `owner` whenever the SDK collects. Returns what stops it. */
  observe(owner: { stats(): BatcherStats }): () => void {
    const common = { 'perf.batch.name': this.#name };
    return this.#meter.observe(owner, OBSERVED, (source, observe) => {
      const stats = source.stats();
      observe('perf.batch.pending', stats.pending, common);
      observe('perf.batch.pending_bytes', stats.pendingBytes, common);
      observe('perf.batch.parked', stats.parked, common);
      observe('perf.batch.in_flight', stats.inFlight, common);
      for (const outcome of ['succeeded', 'failed', 'withdrawn', 'expired', 'refused'] as const) {
        observe('perf.batch.operations', stats[outcome], { ...common, 'perf.batch.outcome': outcome });
      }
      observe('perf.batch.shared', stats.shared, common);
      observe('perf.batch.merged', stats.merged, common);
      observe('perf.batch.retries', stats.retried, common);
      observe('perf.batch.retries_denied', stats.denied, common);
      observe('perf.batch.parts', stats.parts, common);
      if (stats.maxSize !== Infinity) observe('perf.batch.max_size', stats.maxSize, common);
    });
  }

  /** Notes the span that is active now, to link the batch to, and the time; nothing while nobody traces or measures. */
  added<Op, R>(operation: Operation<Op, R>): void {
    if (this.#tracer.current() !== undefined) operation.span = activeSpan();
    if (this.#wait.enabled) operation.addedAt = systemClock.now();
  }

  /** Another call of `add` waits for the operation: the batch belongs to its span as well. */
  joined<Op, R>(operation: Operation<Op, R>): void {
    if (this.#tracer.current() === undefined) return;
    const span = activeSpan();
    const { span: before } = operation;
    if (span === undefined || span === before) return;
    if (before === undefined) operation.span = span;
    else if (before instanceof Set) before.add(span);
    else operation.span = new Set([before, span]);
  }

  /** Runs a batch in a span that links to the spans its operations were added in, and records its size and duration. */
  batch<Op, R>(batch: Batch<Op, R>, run: () => Promise<unknown>): Promise<unknown> {
    if (!this.#duration.enabled && this.#tracer.current() === undefined) return run();
    const start = systemClock.now();
    const { size, attempt, group } = batch.facts;
    const attributes: Attributes = { 'perf.batch.name': this.#name, 'perf.batch.group': group };
    const facts = { ...attributes, 'perf.batch.size': size, 'perf.batch.attempt': attempt };
    const callers = callersOf(batch);
    const links = callers.map(({ context }): Link => ({ context }));
    const answer = this.#tracer.span('perf.batch.execute', { attributes: facts, links }, (span) => {
      linkBack(callers, span);
      return run();
    });
    this.#recordWait(batch, start, attributes);
    const record = (): void => {
      this.#size.record(size, attributes);
      this.#duration.record((systemClock.now() - start) / 1000, attributes);
    };
    answer.then(record, record);
    return answer;
  }

  /** One value per batch, not one per operation: the wait of the operation that came first is the longest, and the others follow from the rate. */
  #recordWait<Op, R>({ operations, attempt }: Batch<Op, R>, now: number, attributes: Attributes): void {
    const addedAt = operations[0]?.addedAt;
    if (attempt > 1 || addedAt === undefined) return;
    this.#wait.record((now - addedAt) / 1000, attributes);
  }
}

function spansOf<Op, R>({ span }: Operation<Op, R>): Iterable<Span> {
  if (span === undefined) return [];
  return span instanceof Set ? span : [span];
}

interface CallerSpan {
  readonly span: Span;
  readonly context: SpanContext;
}

/** The spans operations of the batch were added in, each once; none when they cannot be asked who they are. */
function callersOf<Op, R>({ operations }: Batch<Op, R>): CallerSpan[] {
  const callers = new Map<string, CallerSpan>();
  try {
    for (const operation of operations) {
      for (const span of spansOf(operation)) {
        const context = span.spanContext();
        callers.set(context.spanId, { span, context });
      }
    }
  } catch {}
  return [...callers.values()];
}

/** A link in each caller's span to that of the batch. API versions before 1.9 have no `addLink`, and a span that has ended ignores it. */
function linkBack(callers: readonly CallerSpan[], batch: Span | undefined): void {
  try {
    const link = batch && { context: batch.spanContext() };
    if (link !== undefined) for (const { span } of callers) if (typeof span.addLink === 'function') span.addLink(link);
  } catch {}
}
