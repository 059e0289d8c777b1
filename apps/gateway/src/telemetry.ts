import { metrics } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** The metrics of every package in this process, through the OpenTelemetry SDK. */
export interface Telemetry {
  /** All metrics in the Prometheus text format. */
  prometheus(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Registers the OpenTelemetry SDK for this process. The exporter's own HTTP server is not started: the gateway serves the text itself.
 */
export function startTelemetry(): Telemetry {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  const serializer = new PrometheusSerializer();
  return {
    async prometheus() {
      const { resourceMetrics } = await exporter.collect();
      return serializer.serialize(resourceMetrics);
    },
    async close() {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
