import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BufferPool, MemoryManager, MemoryMonitor, ObjectPool, observeGc } from '../src/index.ts';
import { collectGarbage } from './support/collect-garbage.ts';

let exporter: InMemoryMetricExporter;
let provider: MeterProvider;

function makeProvider(temporality: AggregationTemporality): void {
  exporter = new InMemoryMetricExporter(temporality);
  provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e6 })],
  });
}

beforeEach(() => makeProvider(AggregationTemporality.CUMULATIVE));

afterEach(async () => {
  metrics.disable();
  await provider.shutdown();
});

/** The data points of one metric, as `[value, attributes]`, and its unit. */
async function collect(name: string) {
  exporter.reset();
  await provider.forceFlush();
  const scopes = exporter.getMetrics().flatMap((resource) => resource.scopeMetrics);
  expect(scopes.every((scope) => scope.scope.name === '@perf/memory')).toBe(true);
  const metric = scopes.flatMap((scope) => scope.metrics).find((each) => each.descriptor.name === name);
  return {
    unit: metric?.descriptor.unit,
    points: (metric?.dataPoints ?? []).map((point) => [point.value, point.attributes] as const),
  };
}

test('a pool made before the SDK exports its numbers', async () => {
  const pool = new ObjectPool(() => ({}), { name: 'parsers' });
  const unnamed = new ObjectPool(() => ({}));
  metrics.setGlobalMeterProvider(provider);
  new BufferPool({ name: 'frames' }).acquire(10);
  pool.release(pool.acquire());
  pool.acquire();
  unnamed.acquire();
  const { unit, points } = await collect('perf.memory.pool.objects');
  expect(unit).toBe('{object}');
  const state = (name: string, value: string) => ({ 'perf.memory.pool.name': name, 'perf.memory.pool.state': value });
  expect(points).toEqual([
    [0, state('parsers', 'idle')],
    [1, state('parsers', 'used')],
    [0, state('frames', 'idle')],
    [1, state('frames', 'used')],
  ]);
});

test('a closed pool exports nothing', async () => {
  makeProvider(AggregationTemporality.DELTA);
  metrics.setGlobalMeterProvider(provider);
  const pool = new ObjectPool(() => ({}), { name: 'closing' });
  const points = async () => {
    const { points: all } = await collect('perf.memory.pool.objects');
    return all.filter(([, attributes]) => attributes['perf.memory.pool.name'] === 'closing');
  };
  expect(await points()).toHaveLength(2);
  await pool.close();
  expect(await points()).toHaveLength(0);
});

test('a monitor exports the heap by space, and the pressure', async () => {
  metrics.setGlobalMeterProvider(provider);
  await using monitor = new MemoryMonitor({ name: 'main' });
  const sample = monitor.sample();
  const used = await collect('v8js.memory.heap.used');
  expect(used.unit).toBe('By');
  expect(used.points).toContainEqual([expect.any(Number), { 'v8js.heap.space.name': 'old_space' }]);
  for (const name of ['size', 'available_size', 'physical_size']) {
    expect((await collect(`v8js.memory.heap.space.${name}`)).points).toHaveLength(used.points.length);
  }
  expect((await collect('process.memory.usage')).points).toHaveLength(1);
  const attributes = { 'perf.memory.monitor.name': 'main' };
  expect((await collect('perf.memory.pressure.level')).points).toEqual([[0, attributes]]);
  expect((await collect('perf.memory.limit')).points).toEqual([[sample.limit, attributes]]);
});

test('collections are a histogram in seconds, by type', async () => {
  metrics.setGlobalMeterProvider(provider);
  await using observer = observeGc();
  await collectGarbage();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  const { unit, points } = await collect('v8js.gc.duration');
  expect(unit).toBe('s');
  expect(points).toContainEqual([
    expect.objectContaining({ count: observer.stats().kinds.major.count }),
    { 'v8js.gc.type': 'major' },
  ]);
});

test('reliefs are counted by level', async () => {
  metrics.setGlobalMeterProvider(provider);
  await using manager = new MemoryManager({ name: 'm' });
  manager.relieve();
  manager.relieve({ level: 'elevated' });
  expect((await collect('perf.memory.reliefs')).points).toEqual([
    [1, { 'perf.memory.relief.level': 'critical', 'perf.memory.manager.name': 'm' }],
    [1, { 'perf.memory.relief.level': 'elevated', 'perf.memory.manager.name': 'm' }],
  ]);
});
