import { type MeterProvider as MeterProviderType, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import type { MetricReader } from '@opentelemetry/sdk-metrics';
import { expect, test } from 'vitest';
import { DataLoader } from '../src/index.ts';
import { forgetSdks, startMetering, startTracing } from './otel.ts';

forgetSdks();

const load = async (keys: readonly string[]): Promise<(string | Error)[]> =>
  keys.map((key) => (key === 'bad' ? new Error(key) : key));

/** Reads the value of a metric of ours, by its attributes besides the name of the loader. */
async function collect(reader: MetricReader, name: string): Promise<(metric: string, more?: object) => unknown> {
  const { resourceMetrics } = await reader.collect();
  const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  return (metric, more = {}) =>
    all
      .find(({ descriptor }) => descriptor.name === metric)
      ?.dataPoints.find(
        ({ attributes }) => JSON.stringify(attributes) === JSON.stringify({ 'perf.batch.name': name, ...more }),
      )?.value;
}

test('metrics add up over all loaders of one name, to an SDK that came later', async () => {
  const made = new DataLoader(load, { name: 'users' });
  const reader = startMetering();
  await made.loadMany(['a', 'b', 'a']);
  await new DataLoader(load, { name: 'users' }).loadMany(['a', 'bad']);
  const valueOf = await collect(reader, 'users');
  expect(valueOf('perf.batch.loads', { 'perf.batch.hit': true })).toBe(1);
  expect(valueOf('perf.batch.loads', { 'perf.batch.hit': false })).toBe(4);
  expect(valueOf('perf.batch.load.errors')).toBe(1);
  expect(valueOf('perf.batch.load.pending')).toBe(0);
  expect(valueOf('perf.batch.load.size')).toMatchObject({ count: 2, sum: 4 });
  expect(valueOf('perf.batch.load.duration')).toMatchObject({ count: 2 });
});

test('keys that wait or are being loaded are pending', async () => {
  const reader = startMetering();
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const loader = new DataLoader(() => promise, { name: 'slow', maxConcurrency: 1 });
  const first = loader.load('a');
  await new Promise(setImmediate);
  const controller = new AbortController();
  const others = [loader.load('b'), loader.load('c', { signal: controller.signal })];
  await new Promise(setImmediate);
  expect((await collect(reader, 'slow'))('perf.batch.load.pending')).toBe(3);
  controller.abort('enough');
  expect((await collect(reader, 'slow'))('perf.batch.load.pending')).toBe(2);
  resolve(['value']);
  expect(await Promise.allSettled([first, ...others])).toMatchObject([
    { value: 'value' },
    { value: 'value' },
    { reason: 'enough' },
  ]);
  await new Promise(setImmediate);
  expect((await collect(reader, 'slow'))('perf.batch.load.pending')).toBe(0);
});

test('hits that open no batch are counted too', async () => {
  const reader = startMetering();
  const loader = new DataLoader(load, { name: 'warm', cacheHits: 'immediate' });
  loader.prime('a', 'value');
  await Promise.all([loader.load('a'), loader.load('a')]);
  await new Promise(setImmediate);
  expect((await collect(reader, 'warm'))('perf.batch.loads', { 'perf.batch.hit': true })).toBe(2);
});

test('a batch is a span that links to the span of each caller, and belongs to none of them', async () => {
  const { exporter, tracer } = startTracing();
  const loader = new DataLoader(load, { name: 'users' });
  const callers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      tracer.startActiveSpan(`request ${index}`, async (span) => {
        const { signal } = new AbortController();
        // Some share a key, and some can abort.
        const key = `${index % 15}`;
        await (index % 2 ? loader.load(key) : loader.load(key, { signal }));
        await loader.loadMany(['a', 'b']);
        span.end();
        return span.spanContext().spanId;
      }),
    ),
  );
  const spans = exporter.getFinishedSpans().filter(({ name }) => name === 'perf.batch.load');
  expect(spans.map(({ attributes }) => attributes)).toEqual([
    { 'perf.batch.name': 'users', 'perf.batch.size': 15 },
    { 'perf.batch.name': 'users', 'perf.batch.size': 2 },
  ]);
  for (const span of spans) {
    expect(span.parentSpanContext).toBeUndefined();
    expect(span.links.map((link) => link.context.spanId).toSorted()).toEqual(callers.toSorted());
  }
});

test('a loader made in a request has its batches in the trace of that', async () => {
  const { exporter, tracer } = startTracing();
  await tracer.startActiveSpan('request', async (span) => {
    await new DataLoader(load).load('a');
    span.end();
  });
  const [batch, request] = exporter.getFinishedSpans();
  expect(batch?.name).toBe('perf.batch.load');
  expect(batch?.attributes['perf.batch.name']).toBe('loader');
  expect(batch?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
});

test('a batch that fails as a whole is a span with an error', async () => {
  const { exporter } = startTracing();
  const loader = new DataLoader<string, string>(() => Promise.reject(new Error('down')));
  await expect(loader.load('a')).rejects.toThrow('down');
  await new Promise(setImmediate);
  expect(exporter.getFinishedSpans()[0]?.status).toMatchObject({ code: 2, message: 'down' });
});

test('a tracer or a meter that throws costs no load', async () => {
  const broken = (): never => {
    throw new Error('broken SDK');
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: broken, startActiveSpan: broken }) });
  const manager = new AsyncLocalStorageContextManager();
  manager.active = broken;
  context.setGlobalContextManager(manager);
  const instrument = { add: broken, record: broken, addCallback: broken, removeCallback: broken };
  metrics.setGlobalMeterProvider({
    getMeter: () => ({
      createHistogram: () => instrument,
      createCounter: () => instrument,
      createUpDownCounter: broken,
    }),
  } as unknown as MeterProviderType);
  const loader = new DataLoader(load);
  expect(await loader.loadMany(['a', 'bad', 'a'])).toEqual(['a', new Error('bad'), 'a']);
});

test('an SDK that has no tracer and no meter to give costs no load either', async () => {
  const broken = (): never => {
    throw new Error('broken SDK');
  };
  trace.setGlobalTracerProvider({ getTracer: broken });
  metrics.setGlobalMeterProvider({ getMeter: broken } as unknown as MeterProviderType);
  const loader = new DataLoader(load, { cacheHits: 'immediate' });
  expect(await loader.loadMany(['a', 'a'])).toEqual(['a', 'a']);
});
