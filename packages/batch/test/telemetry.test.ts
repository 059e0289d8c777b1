import { type MeterProvider as MeterProviderType, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { expect, test } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';
import { forgetSdks, startMetering, startTracing } from './otel.ts';

forgetSdks();

const options: BatcherOptions<string, string> = {
  name: 'orders',
  groupBy: (op) => (op.startsWith('w') ? 'write' : 'read'),
  dedupeKey: (op) => (op.startsWith('r') ? op : undefined),
  retry: { attempts: 2, baseDelay: 0 },
  execute: async (ops, { attempt }) =>
    ops.map((op) => (op === 'w bad' || (op === 'w late' && attempt === 1) ? new Error(op) : op)),
};

test('metrics tell how many operations came out how, to an SDK that came later', async () => {
  const batcher = new Batcher(options);
  const reader = startMetering();
  await batcher.addMany(['r 1', 'r 1', 'w 1', 'w late', 'w bad']);
  const { resourceMetrics } = await reader.collect();
  const scopes = resourceMetrics.scopeMetrics;
  expect(scopes.map(({ scope }) => scope.name)).toEqual(['@perf/batch']);
  const points = new Map(scopes[0]?.metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]));
  const mine = { 'perf.batch.name': 'orders' };
  const valueOf = (name: string, more: object = {}): unknown =>
    points.get(name)?.find(({ attributes }) => JSON.stringify(attributes) === JSON.stringify({ ...mine, ...more }))
      ?.value;
  expect(valueOf('perf.batch.pending')).toBe(0);
  expect(valueOf('perf.batch.in_flight')).toBe(0);
  expect(valueOf('perf.batch.operations', { 'perf.batch.outcome': 'succeeded' })).toBe(3);
  expect(valueOf('perf.batch.operations', { 'perf.batch.outcome': 'failed' })).toBe(1);
  expect(valueOf('perf.batch.operations', { 'perf.batch.outcome': 'withdrawn' })).toBe(0);
  expect(valueOf('perf.batch.shared')).toBe(1);
  expect(valueOf('perf.batch.merged')).toBe(0);
  expect(valueOf('perf.batch.retries')).toBe(2);
  expect(valueOf('perf.batch.retries_denied')).toBe(0);
  expect(valueOf('perf.batch.parts')).toBe(0);
  expect(valueOf('perf.batch.max_size')).toBe(100);
  expect(valueOf('perf.batch.size', { 'perf.batch.group': 'write' })).toMatchObject({ count: 2, sum: 5 });
  expect(valueOf('perf.batch.operations', { 'perf.batch.outcome': 'expired' })).toBe(0);
  expect(valueOf('perf.batch.pending_bytes')).toBe(0);
  expect(valueOf('perf.batch.parked')).toBe(0);
  // Not of the second attempt.
  expect(valueOf('perf.batch.wait', { 'perf.batch.group': 'write' })).toMatchObject({ count: 1 });
  expect(valueOf('perf.batch.duration', { 'perf.batch.group': 'read' })).toMatchObject({ count: 1 });
});

test('a batch is a span that links to the span of each caller, and belongs to none of them', async () => {
  const { exporter, tracer } = startTracing();
  const batcher = new Batcher(options);
  const callers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      tracer.startActiveSpan(`request ${index}`, async (span) => {
        await batcher.addMany([`w ${index} a`, `w ${index} b`]);
        span.end();
        return span.spanContext().spanId;
      }),
    ),
  );
  const [batch, ...more] = exporter.getFinishedSpans().filter(({ name }) => name === 'perf.batch.execute');
  expect(more).toEqual([]);
  expect(batch?.parentSpanContext).toBeUndefined();
  expect(batch?.attributes).toEqual({
    'perf.batch.name': 'orders',
    'perf.batch.group': 'write',
    'perf.batch.size': 40,
    'perf.batch.attempt': 1,
  });
  expect(batch?.links.map((link) => link.context.spanId)).toEqual(callers);
  const requests = exporter.getFinishedSpans().filter(({ name }) => name.startsWith('request'));
  expect(requests.map(({ links }) => links.map((link) => link.context.spanId))).toEqual(
    Array(20).fill([batch?.spanContext().spanId]),
  );
});

test('a batch links to the spans of all that share a read or were merged before it was sent', async () => {
  const { exporter, tracer } = startTracing();
  const batcher = new Batcher({ ...options, orderingKey: (op) => op, merge: (earlier) => earlier });
  const callers = await Promise.all(
    ['w 1', 'w 1', 'w 1', 'r 1', 'r 1'].map((op, index) =>
      tracer.startActiveSpan(`request ${index}`, async (span) => {
        await Promise.all([batcher.add(op), batcher.add(op)]);
        span.end();
        return span.spanContext().spanId;
      }),
    ),
  );
  const batches = exporter.getFinishedSpans().filter(({ name }) => name === 'perf.batch.execute');
  expect(batches.map(({ attributes }) => attributes['perf.batch.size'])).toEqual([1, 1]);
  expect(batches.flatMap(({ links }) => links.map((link) => link.context.spanId)).toSorted()).toEqual(
    callers.toSorted(),
  );
  expect(batcher.stats()).toMatchObject({ added: 2, merged: 5, shared: 3 });
});

test('the span of a caller links to each batch its operation was sent in', async () => {
  const { exporter, tracer } = startTracing();
  const batcher = new Batcher(options);
  await tracer.startActiveSpan('request', async (span) => {
    await batcher.add('w late');
    span.end();
  });
  const batches = exporter.getFinishedSpans().filter(({ name }) => name === 'perf.batch.execute');
  expect(batches.map(({ attributes }) => attributes['perf.batch.attempt'])).toEqual([1, 2]);
  const request = exporter.getFinishedSpans().find(({ name }) => name === 'request');
  expect(request?.links.map((link) => link.context.spanId)).toEqual(batches.map((each) => each.spanContext().spanId));
});

test('a batch that fails as a whole is a span with an error', async () => {
  const { exporter } = startTracing();
  const batcher = new Batcher<string, string>({ execute: () => Promise.reject(new Error('down')) });
  await expect(batcher.add('a')).rejects.toThrow('down');
  await batcher.drain();
  expect(exporter.getFinishedSpans()[0]?.status).toMatchObject({
    code: 2,
    message: expect.stringContaining('down') as string,
  });
});

test('a tracer or a meter that throws costs no operation', async () => {
  const broken = (): never => {
    throw new Error('broken SDK');
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: broken, startActiveSpan: broken }) });
  const manager = new AsyncLocalStorageContextManager().enable();
  manager.active = broken;
  context.setGlobalContextManager(manager);
  const instrument = { add: broken, record: broken, addCallback: broken, removeCallback: broken };
  metrics.setGlobalMeterProvider({
    getMeter: () => ({
      createHistogram: () => instrument,
      createObservableCounter: () => instrument,
      createObservableGauge: () => instrument,
      createObservableUpDownCounter: () => instrument,
      addBatchObservableCallback: () => {},
    }),
  } as unknown as MeterProviderType);
  const batcher = new Batcher(options);
  expect(await batcher.addMany(['r 1', 'w 1'])).toEqual([
    { status: 'fulfilled', value: 'r 1' },
    { status: 'fulfilled', value: 'w 1' },
  ]);
});
