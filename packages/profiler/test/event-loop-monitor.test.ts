import { execFileSync } from 'node:child_process';
import { metrics } from '@opentelemetry/api';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { EventLoopMonitor } from '../src/index.ts';
import { manualSdk } from './otel.ts';

afterEach(() => {
  vi.useRealTimers();
  metrics.disable();
});

const turn = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn(5);
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('an event loop monitor', () => {
  test('sees how long the loop was blocked', async () => {
    await using monitor = new EventLoopMonitor({ resolution: 5 });
    await until(() => !Number.isNaN(monitor.stats().delay.max));
    monitor.reset();
    await until(() => !Number.isNaN(monitor.stats().delay.max));
    block(100);
    await until(() => monitor.stats().delay.max > 80);
    const { delay, utilization, active, idle } = monitor.stats();
    expect(delay.max).toBeGreaterThan(80);
    expect(delay.min).toBeGreaterThanOrEqual(0);
    expect(utilization).toBeGreaterThan(0);
    expect(utilization).toBeLessThanOrEqual(1);
    expect(active).toBeGreaterThan(0);
    expect(idle).toBeGreaterThanOrEqual(0);
  });

  test('knows nothing before its first look', () => {
    const monitor = new EventLoopMonitor({ resolution: 1000 });
    expect(monitor.stats().delay).toEqual({ min: NaN, max: NaN, mean: NaN, stddev: NaN, p50: NaN, p90: NaN, p99: NaN });
    void monitor.close();
  });

  test('after close keeps its last snapshot', async () => {
    const monitor = new EventLoopMonitor();
    expect(monitor.closed).toBe(false);
    await monitor.close();
    await monitor.close();
    const last = monitor.stats();
    monitor.reset();
    await turn(20);
    expect(monitor.closed).toBe(true);
    expect(monitor.stats()).toEqual(last);
  });

  test('reports to OpenTelemetry under the names of its conventions, to an SDK registered later too', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await using monitor = new EventLoopMonitor({ name: 'main', resolution: 1 });
    const { provider, reader } = manualSdk();
    metrics.setGlobalMeterProvider(provider);
    expect((await reader.metrics()).size).toBe(0);
    vi.advanceTimersByTime(1000);
    vi.useRealTimers();
    await until(() => !Number.isNaN(monitor.stats().delay.max));
    const seen = await reader.metrics();
    expect([...seen.keys()].sort()).toEqual([
      'nodejs.eventloop.delay.max',
      'nodejs.eventloop.delay.mean',
      'nodejs.eventloop.delay.min',
      'nodejs.eventloop.delay.p50',
      'nodejs.eventloop.delay.p90',
      'nodejs.eventloop.delay.p99',
      'nodejs.eventloop.delay.stddev',
      'nodejs.eventloop.time',
      'nodejs.eventloop.utilization',
    ]);
    expect(seen.get('nodejs.eventloop.time')?.dataPoints.map(({ attributes }) => attributes)).toEqual([
      { 'perf.profiler.name': 'main', 'nodejs.eventloop.state': 'active' },
      { 'perf.profiler.name': 'main', 'nodejs.eventloop.state': 'idle' },
    ]);
  });

  test('reports nothing when told not to', async () => {
    const { provider, reader } = manualSdk();
    metrics.setGlobalMeterProvider(provider);
    await using monitor = new EventLoopMonitor({ metrics: false });
    expect(monitor.closed).toBe(false);
    expect((await reader.metrics()).size).toBe(0);
  });

  test('keeps no process alive', () => {
    const source = new URL('../src/index.ts', import.meta.url).href;
    const code = `import { EventLoopMonitor, Profiler } from ${JSON.stringify(source)};
      globalThis.kept = [new EventLoopMonitor(), new Profiler()]; console.log('done');`;
    const args = ['--no-warnings', '--input-type=module', '-e', code];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })).toBe('done\n');
  });

  test.each([{ resolution: 0 }, { resolution: 1.5 }, { name: '' }, { metrics: 1 }, { interval: 5 }])(
    'with %o is refused',
    (options) => {
      expect(() => new EventLoopMonitor(options as never)).toThrow(new RegExp(Object.keys(options)[0]!));
    },
  );
});
