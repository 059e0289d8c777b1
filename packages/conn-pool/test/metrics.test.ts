import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { ManualClock } from '@perf/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionPool } from '../src/index.ts';

afterEach(() => metrics.disable());

const byText = (a: string, b: string) => (a < b ? -1 : 1);

/** Registers an SDK. Returns what collects: every value by metric name and attributes. */
function startSdk(): () => Promise<Map<string, unknown>> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e9 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return async () => {
    exporter.reset();
    await reader.forceFlush();
    const values = new Map<string, unknown>();
    for (const { metrics: all } of exporter.getMetrics()[0]?.scopeMetrics ?? []) {
      for (const { descriptor, dataPoints } of all) {
        for (const { attributes, value } of dataPoints) {
          values.set([descriptor.name, descriptor.unit, ...Object.values(attributes)].join(' '), value);
        }
      }
    }
    return values;
  };
}

describe('OpenTelemetry', () => {
  test('sees the pool by the names of the semantic conventions, though the SDK came later', async () => {
    const clock = new ManualClock();
    const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, min: 1, max: 3, name: 'orders', clock });
    const early = await pool.acquire();
    const collect = startSdk();
    const late = await pool.acquire();
    clock.advance(250);
    late.release();
    await expect(pool.acquire({ timeout: 1, signal: AbortSignal.abort() })).rejects.toThrow();
    const values = await collect();
    expect(values.get('db.client.connection.count {connection} orders used')).toBe(1);
    expect(values.get('db.client.connection.count {connection} orders idle')).toBe(1);
    expect(values.get('db.client.connection.max {connection} orders')).toBe(3);
    expect(values.get('db.client.connection.idle.min {connection} orders')).toBe(1);
    expect(values.get('db.client.connection.idle.max {connection} orders')).toBe(3);
    expect(values.get('db.client.connection.pending_requests {request} orders')).toBe(0);
    expect(values.get('db.client.connection.timeouts {timeout} orders')).toBe(0);
    expect(values.get('db.client.connection.use_time s orders')).toMatchObject({ count: 1, sum: 0.25 });
    expect(values.get('db.client.connection.wait_time s orders')).toMatchObject({ count: 1, sum: 0 });
    expect(values.get('db.client.connection.create_time s orders')).toMatchObject({ count: 1, sum: 0 });
    early.release();
    await pool.close();
    const closed = await collect();
    expect(closed.get('db.client.connection.count {connection} orders used')).toBe(0);
    expect(closed.get('db.client.connection.max {connection} orders')).toBe(0);
  });

  test('hears of all ten metrics of the convention and of no others, with buckets for the times', async () => {
    const collect = startSdk();
    const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, name: 'orders' });
    const lease = await pool.acquire();
    const late = pool.acquire({ timeout: 1 });
    await expect(late).rejects.toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' });
    lease.release();
    const values = await collect();
    expect([...values.keys()].toSorted(byText)).toEqual([
      'db.client.connection.count {connection} orders idle',
      'db.client.connection.count {connection} orders used',
      'db.client.connection.create_time s orders',
      'db.client.connection.idle.max {connection} orders',
      'db.client.connection.idle.min {connection} orders',
      'db.client.connection.max {connection} orders',
      'db.client.connection.pending_requests {request} orders',
      'db.client.connection.timeouts {timeout} orders',
      'db.client.connection.use_time s orders',
      'db.client.connection.wait_time s orders',
    ]);
    expect(values.get('db.client.connection.timeouts {timeout} orders')).toBe(1);
    expect(values.get('db.client.connection.wait_time s orders')).toMatchObject({
      count: 1,
      buckets: { boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] },
    });
    await pool.close();
  });

  test('names the pool and the state by the attributes of the convention', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e9 });
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    await using pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, name: 'orders' });
    await pool.use(() => {});
    await reader.forceFlush();
    const [scope] = exporter.getMetrics()[0]?.scopeMetrics ?? [];
    expect(scope?.scope.name).toBe('@perf/conn-pool');
    for (const { descriptor, dataPoints } of scope?.metrics ?? []) {
      const states = descriptor.name.endsWith('.count') ? ['idle', 'used'] : [undefined];
      expect(dataPoints.map(({ attributes }) => attributes)).toEqual(
        states.map((state) => ({
          'db.client.connection.pool.name': 'orders',
          ...(state === undefined ? {} : { 'db.client.connection.state': state }),
        })),
      );
    }
  });

  test('follows a resize', async () => {
    const collect = startSdk();
    const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, name: 'orders' });
    pool.resize({ min: 2, max: 4 });
    const values = await collect();
    expect(values.get('db.client.connection.max {connection} orders')).toBe(4);
    expect(values.get('db.client.connection.idle.max {connection} orders')).toBe(4);
    expect(values.get('db.client.connection.idle.min {connection} orders')).toBe(2);
    await pool.close();
  });

  test('hears how long connections lived, under the name a convention has for it', async () => {
    const collect = startSdk();
    const clock = new ManualClock();
    const durationMetric = 'mcp.client.session.duration';
    const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, clock, durationMetric });
    await pool.use(() => {});
    clock.advance(90_000);
    pool.evictAll();
    expect((await collect()).get('mcp.client.session.duration s conn-pool')).toMatchObject({
      count: 1,
      sum: 90,
      buckets: { boundaries: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] },
    });
    await pool.close();
  });

  test.each(['getMeter', 'createHistogram', 'record'])('that throws in %s() costs no connection', async (where) => {
    const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, durationMetric: 'lifetime' });
    const throws = (name: string, answer: unknown) => () => {
      if (name === where) throw new Error('broken');
      return answer;
    };
    const meter = { createHistogram: throws('createHistogram', { record: throws('record', undefined) }) };
    metrics.setGlobalMeterProvider({ getMeter: throws('getMeter', meter) } as unknown as MeterProvider);
    const held = await pool.acquire();
    const next = pool.use(() => 'served');
    held.release();
    expect(await next).toBe('served');
    (await pool.acquire()).discard();
    expect(pool.stats()).toMatchObject({ size: 0, destroyed: 1 });
    await pool.close();
  });

  test('costs no look at the clock while nobody listens', async () => {
    let looks = 0;
    const clock = {
      now: () => {
        looks++;
        return performance.now();
      },
    };
    const pool = new ConnectionPool({
      create: () => ({}),
      destroy: () => {},
      max: 1,
      idleTimeout: Infinity,
      maxLifetime: Infinity,
      durationMetric: 'mcp.client.session.duration',
      clock,
    });
    await pool.use(() => {});
    looks = 0;
    for (let i = 0; i < 100; i++) await pool.use(() => {});
    pool.evictAll();
    expect(looks).toBe(0);
    startSdk();
    await pool.use(() => {});
    expect(looks).toBeGreaterThan(0);
    await pool.close();
  });

  test('sees a pool of something else under a name of its own', async () => {
    const collect = startSdk();
    const pool = new ConnectionPool({ create: () => 1, destroy: () => {}, max: 1, metricPrefix: 'perf.conn_pool' });
    await pool.use(() => {});
    expect((await collect()).get('perf.conn_pool.count {connection} conn-pool idle')).toBe(1);
    await pool.close();
  });
});
