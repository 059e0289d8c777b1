import { SpanStatusCode, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { ManualClock } from '@perf/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { Profiler } from '../src/index.ts';
import { manualSdk } from './otel.ts';

const clock = new ManualClock();

afterEach(() => {
  metrics.disable();
  trace.disable();
  context.disable();
});

describe('metrics', () => {
  test('reach an SDK that is registered after the calls began', async () => {
    const profiler = new Profiler({ clock, name: 'api' });
    const work = profiler.wrap((ms: number) => clock.advance(ms), { name: 'work' });
    work(10);
    const { provider, reader } = manualSdk();
    metrics.setGlobalMeterProvider(provider);
    work(30);
    const seen = await reader.metrics();
    const point = (name: string) => seen.get(name)?.dataPoints[0];
    expect(point('perf.profiler.calls')).toMatchObject({
      value: 2,
      attributes: { 'code.function.name': 'work', 'perf.profiler.name': 'api' },
    });
    expect(point('perf.profiler.errors')?.value).toBe(0);
    expect(point('perf.profiler.time')?.value).toBeCloseTo(0.04);
    expect(point('perf.profiler.self_time')?.value).toBeCloseTo(0.04);
    expect(point('perf.profiler.duration.max')?.value).toBeCloseTo(0.03);
    expect(point('perf.profiler.duration.p50')?.value).toBeCloseTo(0.01);
    expect(seen.get('perf.profiler.time')?.descriptor.unit).toBe('s');
    await profiler.close();
    profiler.reset();
    expect((await reader.metrics()).get('perf.profiler.calls')?.dataPoints[0]?.value).toBe(2);
  });
});

describe('spans', () => {
  test('are made of the calls of a function wrapped with `trace`, nested as the calls are', async () => {
    const exporter = new InMemorySpanExporter();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    const profiler = new Profiler({ clock });
    const inner = profiler.wrap(async (fail: boolean) => (fail ? Promise.reject(new RangeError('no')) : 1), {
      name: 'inner',
      trace: true,
    });
    const outer = profiler.wrap(
      async function (this: unknown, fail: boolean) {
        return [this, await inner(fail)];
      },
      { name: 'outer', trace: true },
    );
    expect(await outer.call('self', false)).toEqual(['self', 1]);
    await expect(outer(true)).rejects.toThrow(RangeError);
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name, status }) => [name, status.code])).toEqual([
      ['inner', SpanStatusCode.UNSET],
      ['outer', SpanStatusCode.UNSET],
      ['inner', SpanStatusCode.ERROR],
      ['outer', SpanStatusCode.ERROR],
    ]);
    expect(spans[0]?.parentSpanContext?.spanId).toBe(spans[1]?.spanContext().spanId);
    expect(spans[0]?.attributes).toEqual({ 'code.function.name': 'inner' });
    expect(profiler.report('outer')).toMatchObject({ calls: 2, errors: 1, timed: 2 });
  });

  test('are not needed', () => {
    const profiler = new Profiler({ clock });
    expect(profiler.wrap((n: number) => n + 1, { trace: true })(1)).toBe(2);
  });
});
