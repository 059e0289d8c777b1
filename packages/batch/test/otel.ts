import { type Tracer, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach } from 'vitest';

/** A reader that collects when a test asks it to. */
class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Unregisters the SDK after each test of the file. */
export function forgetSdks(): void {
  afterEach(() => {
    metrics.disable();
    trace.disable();
    context.disable();
  });
}

/** Registers a real SDK for metrics. */
export function startMetering(): MetricReader {
  const reader = new ManualReader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return reader;
}

/** Registers a real SDK for traces. */
export function startTracing(): { readonly exporter: InMemorySpanExporter; readonly tracer: Tracer } {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return { exporter, tracer: trace.getTracer('test') };
}
