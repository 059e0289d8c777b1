import { expect, test } from 'vitest';
import { TestQueue } from './durable/queue.ts';
import { forgetSdks, startMetering, startTracing } from './otel.ts';

const queue = new TestQueue();
forgetSdks();

test('a call of execute is a span that links to the span of each caller, in whichever process', async () => {
  const { exporter, tracer } = startTracing();
  const batcher = queue.batcher<number>({ partitions: 1 });
  const callers = await Promise.all(
    [1, 2].map((value) =>
      tracer.startActiveSpan(`caller ${value}`, async (span) => {
        const key = await batcher.enqueue({ value });
        span.end();
        return { key, spanId: span.spanContext().spanId, traceId: span.spanContext().traceId };
      }),
    ),
  );
  queue.worker((ops) => ops.map(({ value }) => value), { partitions: 1 });
  await Promise.all(callers.map(({ key }) => batcher.result(key)));
  const spans = exporter.getFinishedSpans().filter(({ name }) => name === 'perf.batch.durable.execute');
  expect(spans).toHaveLength(1);
  expect(spans[0]?.parentSpanContext).toBeUndefined();
  expect(spans[0]?.attributes).toEqual({
    'perf.batch.name': queue.name,
    'perf.batch.group': 'default',
    'perf.batch.partition': 0,
    'perf.batch.size': 2,
    'perf.batch.attempt': 1,
  });
  const links = spans[0]?.links.map((link) => ({ ...link.context }));
  expect(links).toMatchObject(callers.map(({ spanId, traceId }) => ({ spanId, traceId, isRemote: true })));
});

test('metrics tell how many operations came out how', async () => {
  const reader = startMetering();
  const worker = queue.worker((ops) => ops.map(({ value }) => (value === 1 ? new Error('no') : value)), {
    partitions: 1,
    retry: { attempts: 2, baseDelay: 0 },
  });
  await queue.batcher({ partitions: 1 }).addMany([0, 1, 2].map((value) => ({ value })));
  await worker.close();
  const { resourceMetrics } = await reader.collect();
  const points = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .flatMap(({ descriptor, dataPoints }) => dataPoints.map((point) => ({ ...point, name: descriptor.name })))
    .filter(({ attributes }) => attributes['perf.batch.name'] === queue.name);
  const operations = points.filter(({ name }) => name === 'perf.batch.durable.operations');
  expect(Object.fromEntries(operations.map((each) => [each.attributes['perf.batch.outcome'], each.value]))).toEqual({
    succeeded: 2,
    failed: 1,
    retried: 1,
  });
  expect(points.find(({ name }) => name === 'perf.batch.durable.size')?.value).toMatchObject({ count: 2, sum: 4 });
  expect(points.find(({ name }) => name === 'perf.batch.durable.duration')?.value).toMatchObject({ count: 2 });
});
