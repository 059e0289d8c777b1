import { type Meter, type Tracer, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClosedError, LazyMeter, LazyTracer, activeSpanContext } from '../src/index.ts';

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function registerMeterProvider(): { read(): Promise<Record<string, unknown>> } {
  const reader = new ManualReader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return {
    async read() {
      const { resourceMetrics } = await reader.collect();
      const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
      return Object.fromEntries(
        all.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.map((point) => point.value)]),
      );
    },
  };
}

function registerTracerProvider(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return exporter;
}

function raise(message = 'not today'): never {
  throw new Error(message);
}

afterEach(() => {
  metrics.disable();
  trace.disable();
  context.disable();
});

class Component {
  size = 3;
}

describe('LazyMeter', () => {
  for (const order of ['before', 'after'] as const) {
    test(`records to an SDK registered ${order} the component`, async () => {
      const early = order === 'before' ? registerMeterProvider() : undefined;
      const meter = new LazyMeter('@perf/test');
      const hits = meter.counter('hits');
      const wait = meter.histogram('wait', { unit: 's' });
      const component = new Component();
      meter.observe(
        component,
        { size: { kind: 'gauge' }, total: { kind: 'counter' }, level: { kind: 'upDownCounter' } },
        (it, observe) => {
          observe('size', it.size);
          observe('total', 7);
          observe('level', 2, { tier: 'memory' });
        },
      );
      if (order === 'after') hits.add(100);
      const sdk = early ?? registerMeterProvider();
      hits.add(2);
      hits.add(3);
      wait.record(0.25);
      component.size = 4;
      expect(await sdk.read()).toEqual({
        hits: [5],
        wait: [expect.objectContaining({ count: 1, sum: 0.25 })],
        size: [4],
        total: [7],
        level: [2],
      });
    });
  }

  test('follows an SDK that goes and another that comes', async () => {
    const meter = new LazyMeter('@perf/test');
    const hits = meter.counter('hits');
    const component = new Component();
    meter.observe(component, { size: { kind: 'gauge' } }, (it, observe) => observe('size', it.size));
    const first = registerMeterProvider();
    hits.add(1);
    metrics.disable();
    hits.add(10);
    const second = registerMeterProvider();
    hits.add(2);
    expect(await first.read()).toEqual({ hits: [1] });
    expect(await second.read()).toEqual({ hits: [2], size: [3] });
  });

  test('says whether anybody listens', () => {
    const wait = new LazyMeter('@perf/test').histogram('wait');
    expect(wait.enabled).toBe(false);
    registerMeterProvider();
    expect(wait.enabled).toBe(true);
    metrics.disable();
    expect(wait.enabled).toBe(false);
  });

  test('a stopped observation reports nothing more; stopping twice is fine', async () => {
    const sdk = registerMeterProvider();
    const read = vi.fn();
    const stop = new LazyMeter('@perf/test').observe(new Component(), { size: { kind: 'gauge' } }, read);
    await sdk.read();
    expect(read).toHaveBeenCalledTimes(1);
    stop();
    stop();
    await sdk.read();
    expect(read).toHaveBeenCalledTimes(1);
  });

  test('a reader that throws leaves a gap, and the other metrics alone', async () => {
    const sdk = registerMeterProvider();
    const meter = new LazyMeter('@perf/test');
    const component = new Component();
    meter.observe(component, { broken: { kind: 'gauge' } }, () => {
      throw new Error('broken observer');
    });
    meter.observe(component, { size: { kind: 'gauge' } }, (it, observe) => observe('size', it.size));
    expect(await sdk.read()).toEqual({ size: [3] });
  });

  test('an SDK that throws when instruments come or go hurts nobody', () => {
    const failing = new Proxy({} as Meter, {
      get: () => () => {
        throw new Error('not today');
      },
    });
    metrics.setGlobalMeterProvider({ getMeter: () => failing });
    const component = new Component();
    const meter = new LazyMeter('scope');
    meter.histogram('took').record(1);
    meter.counter('count').add(1);
    const stop = meter.observe(component, { size: { kind: 'gauge' } }, (it, observe) => observe('size', it.size));
    expect(stop).not.toThrow();
    expect(stop).not.toThrow();
    metrics.disable();
    metrics.setGlobalMeterProvider({
      getMeter: () => {
        throw new Error('not even a meter');
      },
    });
    expect(meter.current()).toBeUndefined();
  });

  test('does not keep a forgotten component alive', async () => {
    const sdk = registerMeterProvider();
    const collected = vi.fn();
    const registry = new FinalizationRegistry(collected);
    let read = 0;
    (() => {
      const component = new Component();
      registry.register(component, 'component');
      new LazyMeter('@perf/test').observe(component, { size: { kind: 'gauge' } }, (it, observe) => {
        read++;
        observe('size', it.size);
      });
    })();
    expect(await sdk.read()).toEqual({ size: [3] });
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    for (let round = 0; round < 50 && collected.mock.calls.length === 0; round++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(collected).toHaveBeenCalledWith('component');
    await sdk.read();
    expect(read).toBe(1);
  });

  test('the end of a forgotten component leaves no gap in the metrics of the next, and nothing behind', async () => {
    const sdk = registerMeterProvider();
    const meter = new LazyMeter('@perf/test');
    const gone = (() => {
      const component = new Component();
      meter.observe(component, { first: { kind: 'gauge' } }, (it, observe) => observe('first', it.size));
      return new WeakRef(component);
    })();
    const next = new Component();
    meter.observe(next, { second: { kind: 'gauge' } }, (it, observe) => observe('second', it.size));
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    expect(gone.deref()).toBeUndefined();
    expect(await sdk.read()).toEqual({ second: [3] });
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
    const observed: string[] = [];
    const later = new MeterProvider();
    const real = later.getMeter('@perf/test');
    vi.spyOn(real, 'createObservableGauge').mockImplementation((name) => {
      observed.push(name);
      return { addCallback() {}, removeCallback() {} };
    });
    vi.spyOn(later, 'getMeter').mockReturnValue(real);
    metrics.disable();
    metrics.setGlobalMeterProvider(later);
    meter.current();
    expect(observed).toEqual(['second']);
    expect(next.size).toBe(3);
  });
});

describe('LazyTracer', () => {
  test('runs the work without a span while there is no SDK', () => {
    const tracer = new LazyTracer('@perf/test');
    expect(tracer.current()).toBeUndefined();
    expect(tracer.span('load', {}, (span) => span)).toBeUndefined();
  });

  for (const order of ['before', 'after'] as const) {
    test(`makes spans in an SDK registered ${order} it, nested as the calls are`, async () => {
      const early = order === 'before' ? registerTracerProvider() : undefined;
      const tracer = new LazyTracer('@perf/test', '1.2.3');
      const exporter = early ?? registerTracerProvider();
      const result = await tracer.span('outer', { attributes: { key: 'a' } }, async () => {
        await Promise.resolve();
        return tracer.span('inner', {}, () => 42);
      });
      expect(result).toBe(42);
      const [inner, outer] = exporter.getFinishedSpans();
      expect(inner).toMatchObject({ name: 'inner', parentSpanContext: { spanId: outer?.spanContext().spanId } });
      expect(outer).toMatchObject({
        name: 'outer',
        attributes: { key: 'a' },
        instrumentationScope: { name: '@perf/test', version: '1.2.3' },
      });
    });
  }

  test.each(['synchronously', 'later'])('records an error thrown %s, and rethrows it unchanged', async (when) => {
    const exporter = registerTracerProvider();
    const failure = new Error('no such key');
    const work = (): Promise<never> => {
      if (when === 'synchronously') throw failure;
      return Promise.reject(failure);
    };
    await expect((async () => new LazyTracer('@perf/test').span('load', {}, work))()).rejects.toBe(failure);
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({
      status: { code: 2, message: 'no such key' },
      events: [expect.objectContaining({ name: 'exception' })],
    });
  });

  test.each<[string, () => Tracer]>([
    ['making a tracer', () => raise()],
    ['starting a span', () => ({ startActiveSpan: raise }) as unknown as Tracer],
    [
      'ending a span',
      () => ({ startActiveSpan: (...args: unknown[]) => (args.at(-1) as (span: object) => unknown)({}) }) as never,
    ],
    [
      'leaving a span',
      () =>
        ({
          startActiveSpan: (...args: unknown[]) => (args.at(-1) as (span: object) => unknown)({}) && raise(),
        }) as never,
    ],
  ])('an SDK that throws at %s hurts nobody, and has the work done once', async (_, getTracer) => {
    trace.setGlobalTracerProvider({ getTracer });
    const tracer = new LazyTracer('scope');
    const work = vi.fn(() => 1);
    expect(tracer.span('work', {}, work)).toBe(1);
    expect(work).toHaveBeenCalledTimes(1);
    expect(await tracer.span('later', {}, async () => 2)).toBe(2);
    await expect(tracer.span('failing', {}, () => Promise.reject(new RangeError('its own')))).rejects.toThrow(
      'its own',
    );
    expect(() => tracer.span('failing', {}, () => raise('its own'))).toThrow('its own');
  });

  test('records something thrown that is no Error', async () => {
    const exporter = registerTracerProvider();
    const failing = new LazyTracer('@perf/test').span('load', {}, () => Promise.reject('plain'));
    await expect(failing).rejects.toBe('plain');
    expect(exporter.getFinishedSpans()[0]).toMatchObject({
      status: { code: 2, message: 'plain' },
      attributes: { 'error.type': 'string' },
    });
  });

  test('names the kind of an error by its code, or else by its name', () => {
    const exporter = registerTracerProvider();
    const tracer = new LazyTracer('@perf/test');
    for (const error of [new ClosedError('pool'), new TypeError('x')]) {
      const fail = (): never => {
        throw error;
      };
      expect(() => tracer.span('load', {}, fail)).toThrow(error);
    }
    expect(exporter.getFinishedSpans().map(({ attributes }) => attributes['error.type'])).toEqual([
      'PERF_CLOSED',
      'TypeError',
    ]);
  });
});

test('the active span is found without the API package, and is the one the API package finds', () => {
  expect(activeSpanContext()).toBeUndefined();
  registerTracerProvider();
  expect(activeSpanContext()).toBeUndefined();
  new LazyTracer('@perf/test').span('load', {}, (span) => {
    expect(activeSpanContext()).toEqual(span?.spanContext());
    expect(activeSpanContext()).toEqual(trace.getActiveSpan()?.spanContext());
  });
});

test('the API package still keeps its registrations where they are read', async () => {
  const key = Symbol.for('opentelemetry.js.api.1');
  expect(Object.getOwnPropertyDescriptor(globalThis, key)).toMatchObject({
    enumerable: expect.any(Boolean) as boolean,
  });
  registerTracerProvider();
  expect((globalThis as Record<symbol, unknown>)[key]).toMatchObject({ trace: trace.getTracerProvider() });
});
