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

  test('sees a pool of something else under a name of its own', async () => {
    const collect = startSdk();
    const pool = new ConnectionPool({ create: () => 1, destroy: () => {}, max: 1, metricPrefix: 'perf.conn_pool' });
    await pool.use(() => {});
    expect((await collect()).get('perf.conn_pool.count {connection} conn-pool idle')).toBe(1);
    await pool.close();
  });
});
