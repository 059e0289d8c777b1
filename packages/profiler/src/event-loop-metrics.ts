import { performance } from 'node:perf_hooks';
import type { Attributes } from '@opentelemetry/api';
import type { LazyMeter, ObservedInstrument } from '@perf/core';
import type { EventLoopStats } from './event-loop-monitor.ts';

const QUANTILES = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;
type Instrument = `nodejs.eventloop.${`delay.${(typeof QUANTILES)[number]}` | 'utilization' | 'time'}`;

/** Names of OpenTelemetry's semantic conventions for Node.js. */
const INSTRUMENTS: Readonly<Record<Instrument, ObservedInstrument>> = {
  'nodejs.eventloop.delay.min': { kind: 'gauge', unit: 's', description: 'Event loop minimum delay' },
  'nodejs.eventloop.delay.max': { kind: 'gauge', unit: 's', description: 'Event loop maximum delay' },
  'nodejs.eventloop.delay.mean': { kind: 'gauge', unit: 's', description: 'Event loop mean delay' },
  'nodejs.eventloop.delay.stddev': { kind: 'gauge', unit: 's', description: 'Event loop standard deviation delay' },
  'nodejs.eventloop.delay.p50': { kind: 'gauge', unit: 's', description: 'Event loop 50 percentile delay' },
  'nodejs.eventloop.delay.p90': { kind: 'gauge', unit: 's', description: 'Event loop 90 percentile delay' },
  'nodejs.eventloop.delay.p99': { kind: 'gauge', unit: 's', description: 'Event loop 99 percentile delay' },
  'nodejs.eventloop.utilization': { kind: 'gauge', unit: '1', description: 'Event loop utilization' },
  'nodejs.eventloop.time': {
    kind: 'counter',
    unit: 's',
    description: 'Cumulative duration of time the event loop has been in each state',
  },
};

/** What the metrics are read from. */
export interface EventLoopSource {
  readonly name: string | undefined;
  stats(): EventLoopStats;
}

/** Reports the event loop to OpenTelemetry whenever the SDK collects. */
export function observeEventLoop(meter: LazyMeter, source: EventLoopSource): () => void {
  return meter.observe(source, INSTRUMENTS, (monitor, observe) => {
    const attributes: Attributes = monitor.name === undefined ? {} : { 'perf.profiler.name': monitor.name };
    const { delay, utilization } = monitor.stats();
    for (const quantile of QUANTILES) {
      if (!Number.isNaN(delay[quantile]))
        observe(`nodejs.eventloop.delay.${quantile}`, delay[quantile] / 1000, attributes);
    }
    observe('nodejs.eventloop.utilization', utilization, attributes);
    // Since the start of the thread, not of the monitor: a counter must not go back at a reset.
    const { active, idle } = performance.eventLoopUtilization();
    observe('nodejs.eventloop.time', active / 1000, { ...attributes, 'nodejs.eventloop.state': 'active' });
    observe('nodejs.eventloop.time', idle / 1000, { ...attributes, 'nodejs.eventloop.state': 'idle' });
  });
}
