import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryCache, TieredCache } from '../src/index.ts';
import { FakeStore } from './fake-store.ts';

afterEach(() => {
  metrics.disable();
  trace.disable();
  context.disable();
});

/** Registers a real SDK and gives a function that reads the points of one metric. */
function startMetrics(): (name: string) => Promise<Record<string, unknown>> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return async (name) => {
    exporter.reset();
    await reader.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const points = all
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) => [...dataPoints]);
    return Object.fromEntries(points.map(({ attributes, value }) => [Object.values(attributes).join(' '), value]));
  };
}

describe('metrics', () => {
  test('of a named memory cache are read when the SDK collects, also one registered later', async () => {
    const cache = new MemoryCache<string, number>({ name: 'users', maxSize: 2 });
    cache.set('a', 1).set('b', 2).set('c', 3);
    cache.get('c');
    cache.get('x');
    const read = startMetrics();
    // Noticed by the next cache that is made.
    new MemoryCache<string, number>({ name: 'other' });
    expect(await read('perf.cache.memory.requests')).toMatchObject({ 'users hit': 1, 'users miss': 1 });
    expect(await read('perf.cache.memory.entries')).toMatchObject({ users: 2, other: 0 });
    expect(await read('perf.cache.memory.removals')).toMatchObject({
      'users set': 0,
      'users evict': 1,
      'users expire': 0,
      'users delete': 0,
      'users clear': 0,
    });
    await cache.close();
  });

  test('of a named tiered cache say what answered', async () => {
    const read = startMetrics();
    const cache = new TieredCache<string, number>({ name: 'tools' });
    await cache.getOrLoad('k', () => 1);
    await cache.getOrLoad('k', () => 1);
    await cache.getOrLoad('bad', () => Promise.reject(new Error('x'))).catch(() => {});
    expect(await read('perf.cache.requests')).toMatchObject({ 'tools memory': 1, 'tools miss': 2, 'tools store': 0 });
    expect(await read('perf.cache.loads')).toMatchObject({ 'tools ok': 1, 'tools error': 1 });
    expect(await read('perf.cache.memory.entries')).toMatchObject({ tools: 1 });
    await cache.close();
  });

  test('of a store in trouble tell the state of its breaker and what is unsynced', async () => {
    const read = startMetrics();
    const store = new FakeStore();
    const cache = new TieredCache<string, number>({ name: 'tools', store, breakAfter: 2 });
    await cache.set('k', 1);
    const state = (): Promise<Record<string, unknown>> => read('perf.cache.store.breaker');
    expect(await state()).toEqual({ 'tools closed': 1, 'tools half-open': 0, 'tools open': 0 });
    for (const operation of ['getMany', 'deleteMany'] as const) store.broken.add(operation);
    await cache.get('x');
    await cache.delete('k').catch(() => {});
    expect(await state()).toEqual({ 'tools closed': 0, 'tools half-open': 0, 'tools open': 1 });
    expect(await read('perf.cache.unsynced')).toEqual({ tools: 1 });
    expect(await read('perf.cache.store.failures')).toEqual({ tools: 2 });
    await cache.close();
  });

  test('of durations are histograms, by operation and outcome', async () => {
    const read = startMetrics();
    const store = new FakeStore();
    const cache = new TieredCache<string, number>({ name: 'tools', store, loadTimeout: 5 });
    await cache.getOrLoad('k', () => 1);
    await cache.getOrLoad('slow', () => new Promise(() => {})).catch(() => {});
    store.broken.add('getMany');
    await cache.get('x');
    await cache.close();
    const counts = (points: Record<string, unknown>): unknown =>
      Object.fromEntries(Object.entries(points).map(([name, value]) => [name, (value as { count: number }).count]));
    expect(counts(await read('perf.cache.load.duration'))).toEqual({ 'tools ok': 1, 'tools timeout': 1 });
    expect(counts(await read('perf.cache.store.duration'))).toEqual({
      'read tools ok': 2,
      'lease tools ok': 3,
      'write tools ok': 1,
      'read tools error': 1,
    });
  });

  test('there are none without a name', async () => {
    const read = startMetrics();
    const cache = new TieredCache<string, number>();
    await cache.set('k', 1);
    expect(await read('perf.cache.memory.entries')).toEqual({});
  });
});

describe('spans', () => {
  test('a load is one, with what went wrong', async () => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const cache = new TieredCache<string, number>({ name: 'tools' });
    await Promise.all([cache.getOrLoad('k', () => 1), cache.getOrLoad('k', () => 1)]);
    await cache.getOrLoad('bad', () => Promise.reject(new Error('x'))).catch(() => {});
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name, attributes, status }) => [name, attributes, status.message])).toEqual([
      ['perf.cache.load', { 'perf.cache.name': 'tools', 'perf.cache.keys': 1 }, undefined],
      ['perf.cache.load', { 'perf.cache.name': 'tools', 'perf.cache.keys': 1, 'error.type': 'Error' }, 'x'],
    ]);
  });
  test('a call of the store is one, inside of the caller’s', async () => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const store = new FakeStore();
    const cache = new TieredCache<string, number>({ store });
    await trace.getTracer('test').startActiveSpan('request', async (span) => {
      await cache.set('k', 1, { tags: ['t'] });
      await cache.invalidateTags(['t']);
      store.broken.add('clear');
      await cache.clear().catch(() => {});
      span.end();
    });
    const spans = exporter.getFinishedSpans();
    const parent = spans.find(({ name }) => name === 'request')?.spanContext().spanId;
    const calls = spans.filter(({ name }) => name === 'perf.cache.store');
    expect(calls.map(({ attributes, status }) => [attributes['perf.cache.operation'], status.message])).toEqual([
      ['set', undefined],
      ['invalidateTags', undefined],
      ['clear', 'clear is broken'],
    ]);
    expect(new Set(calls.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(new Set([parent]));
    await cache.close();
  });
});
