import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { TracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { ManualClock } from '@perf/testkit';
import { afterEach, expect, test } from 'vitest';
import { AdaptiveLimiter, Limiter, WorkerPool } from '../src/index.ts';

afterEach(() => {
  metrics.disable();
  trace.disable();
  context.disable();
});

function startSdk() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const spans = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const read = async (): Promise<Map<string, { attributes: object; value: unknown }[]>> => {
    exporter.reset();
    await reader.forceFlush();
    const [collected] = exporter.getMetrics();
    const all = collected?.scopeMetrics.flatMap(({ metrics: each }) => each) ?? [];
    return new Map(
      all.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes, value }) => ({ attributes, value })),
      ]),
    );
  };
  return { read, spans };
}

test('a pool reports its numbers, durations and spans, to an SDK that came later', async () => {
  await using pool = new WorkerPool({
    filename: new URL('./fixtures/tasks.ts', import.meta.url),
    maxWorkers: 1,
    name: 'hashing',
  });
  const { read, spans } = startSdk();
  await pool.run(1);
  await expect(pool.run(0, { name: 'throwHttp' })).rejects.toThrow('status 0');
  const values = await read();
  const mine = { 'perf.pool.name': 'hashing' };
  expect(values.get('perf.pool.workers')).toEqual([{ attributes: mine, value: 1 }]);
  expect(values.get('perf.pool.tasks')).toContainEqual({
    attributes: { ...mine, 'perf.pool.outcome': 'failed' },
    value: 1,
  });
  expect(values.get('perf.pool.task.duration')?.[0]).toMatchObject({ attributes: mine, value: { count: 2 } });
  expect(values.get('perf.pool.task.wait')?.[0]?.value).toMatchObject({ count: 2 });
  expect(values.get('perf.pool.queue.size')).toEqual([{ attributes: mine, value: 0 }]);
  expect(values.get('perf.pool.frames')).toEqual([{ attributes: mine, value: 2 }]);
  expect(values.get('perf.pool.frame.tasks')?.[0]).toMatchObject({ attributes: mine, value: { count: 2, sum: 2 } });
  const [utilization] = values.get('perf.pool.worker.utilization') ?? [];
  expect(utilization?.attributes).toEqual({ ...mine, 'perf.pool.worker': 0 });
  expect(utilization?.value).toBeGreaterThan(0);
  const finished = spans.getFinishedSpans();
  expect(finished.map(({ name, attributes }) => [name, attributes['perf.pool.task']])).toEqual([
    ['perf.pool.run', 'default'],
    ['perf.pool.run', 'throwHttp'],
  ]);
  expect(finished[1]?.status).toMatchObject({ code: 2, message: 'status 0' });
});

test('crashes are reported by cause', async () => {
  const { read } = startSdk();
  await using pool = new WorkerPool({
    filename: new URL('./fixtures/tasks.ts', import.meta.url),
    maxWorkers: 1,
    name: 'crashing',
  });
  await expect(pool.run(3, { name: 'exit' })).rejects.toThrow('exit code 3');
  const attributes = { 'perf.pool.name': 'crashing', 'perf.pool.cause': 'exit' };
  expect((await read()).get('perf.pool.workers.lost')).toContainEqual({ attributes, value: 1 });
});

test.each(['worker_threads', 'child_process'] as const)(
  "the span of a task is a child of the caller's, and the parent of those the task makes (%s)",
  async (runtime) => {
    const { spans } = startSdk();
    await using pool = new WorkerPool({
      filename: new URL('./fixtures/traced.ts', import.meta.url),
      maxWorkers: 1,
      runtime,
    });
    const tracer = trace.getTracer('test');
    const inWorker = await tracer.startActiveSpan('caller', async (span) => {
      const results = await Promise.all([pool.run<object>(1), pool.run<object>(2)]);
      span.end();
      return results;
    });
    const finished = spans.getFinishedSpans();
    const caller = finished.find(({ name }) => name === 'caller');
    const tasks = finished.filter(({ name }) => name === 'perf.pool.run');
    expect(tasks).toHaveLength(2);
    for (const { parentSpanContext } of tasks) expect(parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    const { traceId } = caller!.spanContext();
    expect(inWorker).toEqual(
      expect.arrayContaining(tasks.map((task) => ({ traceId, parent: task.spanContext().spanId }))),
    );
  },
);

test('limiters report theirs', async () => {
  const { read } = startSdk();
  const limiter = new Limiter({ maxConcurrent: 2, name: 'api' });
  const adaptive = new AdaptiveLimiter({ name: 'db', initialLimit: 7 });
  const lease = await limiter.acquire();
  await adaptive.run(() => 1);
  const values = await read();
  const api = { 'perf.pool.name': 'api' };
  const db = { 'perf.pool.name': 'db' };
  expect(values.get('perf.pool.limiter.limit')).toEqual([
    { attributes: api, value: 2 },
    { attributes: db, value: 7 },
  ]);
  expect(values.get('perf.pool.limiter.running')).toContainEqual({ attributes: api, value: 1 });
  expect(values.get('perf.pool.limiter.completed')).toContainEqual({ attributes: db, value: 1 });
  lease.release();
  expect(values.get('perf.pool.limiter.duration')?.[0]).toMatchObject({ attributes: db, value: { count: 1 } });
});

test('a limiter reports how long calls waited, and how many gave up', async () => {
  const { read } = startSdk();
  const clock = new ManualClock();
  const limiter = new Limiter({ maxConcurrent: 1, name: 'api', clock });
  const lease = await limiter.acquire();
  const run = limiter.run(() => 'ran');
  const controller = new AbortController();
  const gaveUp = limiter.run(() => 'never', { signal: controller.signal });
  controller.abort('enough');
  await expect(gaveUp).rejects.toBe('enough');
  clock.advance(1_500);
  lease.release();
  expect(await run).toBe('ran');
  const values = await read();
  const attributes = { 'perf.pool.name': 'api' };
  expect(values.get('perf.pool.limiter.wait')?.[0]).toMatchObject({ attributes, value: { count: 1, sum: 1.5 } });
  expect(values.get('perf.pool.limiter.aborted')).toContainEqual({ attributes, value: 1 });
  await limiter.close();
});
