import { LazyMeter, type LazyHistogram, type ObservedInstrument } from '@perf/core';
import type { Attributes } from '@opentelemetry/api';
import type { ConnectionPoolStats } from './stats.ts';

/** In seconds: the buckets the convention names for `db.client.operation.duration`; it names none for these. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** In seconds: what the conventions name for `mcp.client.session.duration` and `http.client.connection.duration`. */
const LIFE_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** How the metrics of a pool are named. */
export interface MetricNames {
  readonly name: string;
  readonly metricPrefix: string;
  readonly durationMetric?: string | undefined;
}

/** What {@link PoolMetrics} reports about. */
export interface MeteredPool {
  readonly closed: boolean;
  stats(): Readonly<ConnectionPoolStats>;
}

/** The pool in OpenTelemetry, by the names of the semantic conventions for database clients 1.44 under a prefix of the pool's choice. */
export class PoolMetrics {
  readonly #attributes: Attributes;
  readonly #createTime: LazyHistogram;
  readonly #waitTime: LazyHistogram;
  readonly #useTime: LazyHistogram;
  readonly #lifeTime: LazyHistogram | undefined;

  constructor(pool: MeteredPool, { name, metricPrefix: prefix, durationMetric }: MetricNames) {
    const meter = new LazyMeter('@perf/conn-pool');
    const attributes = { [`${prefix}.pool.name`]: name };
    const seconds = (what: string, description: string): LazyHistogram =>
      meter.histogram(`${prefix}.${what}`, { unit: 's', description, advice: { explicitBucketBoundaries: BUCKETS } });
    this.#attributes = attributes;
    this.#createTime = seconds('create_time', 'The time it took to create a new connection.');
    this.#waitTime = seconds('wait_time', 'The time it took to obtain an open connection from the pool.');
    this.#useTime = seconds('use_time', 'The time between borrowing a connection and returning it to the pool.');
    if (durationMetric !== undefined) {
      this.#lifeTime = meter.histogram(durationMetric, {
        unit: 's',
        description: 'How long connections live.',
        advice: { explicitBucketBoundaries: LIFE_BUCKETS },
      });
    }
    // Not ended when the pool closes: an SDK goes on exporting the last value it saw, which had better be 0. It ends with the pool's memory.
    observe(meter, pool, { prefix, attributes });
  }

  /** Whether somebody wants to know how long connections are used: asking the clock is not free. */
  get timesUse(): boolean {
    return this.#useTime.enabled;
  }

  /** The same of how long they live. */
  get timesLife(): boolean {
    return this.#lifeTime?.enabled === true;
  }

  /** This and the next three take milliseconds. */
  created(took: number): void {
    this.#createTime.record(took / 1000, this.#attributes);
  }

  waited(took: number): void {
    this.#waitTime.record(took / 1000, this.#attributes);
  }

  used(took: number): void {
    this.#useTime.record(took / 1000, this.#attributes);
  }

  lived(took: number): void {
    this.#lifeTime?.record(took / 1000, this.#attributes);
  }
}

function observe(
  meter: LazyMeter,
  pool: MeteredPool,
  { prefix, attributes }: { readonly prefix: string; readonly attributes: Attributes },
): void {
  const instruments: Record<string, ObservedInstrument> = {
    [`${prefix}.count`]: sum('{connection}', 'The number of connections in each state.'),
    [`${prefix}.max`]: sum('{connection}', 'The maximum number of open connections allowed.'),
    [`${prefix}.idle.max`]: sum('{connection}', 'The maximum number of idle open connections allowed.'),
    [`${prefix}.idle.min`]: sum('{connection}', 'The minimum number of idle open connections allowed.'),
    [`${prefix}.pending_requests`]: sum('{request}', 'The number of current pending requests for an open connection.'),
    [`${prefix}.timeouts`]: {
      kind: 'counter',
      unit: '{timeout}',
      description: 'The number of connection timeouts that have occurred trying to obtain a connection from the pool.',
    },
  };
  meter.observe(pool, instruments, (owner, report) => {
    const stats = owner.stats();
    report(`${prefix}.count`, stats.idle, { ...attributes, [`${prefix}.state`]: 'idle' });
    report(`${prefix}.count`, stats.inUse, { ...attributes, [`${prefix}.state`]: 'used' });
    report(`${prefix}.max`, owner.closed ? 0 : stats.max, attributes);
    // Every connection there may be may be idle.
    report(`${prefix}.idle.max`, owner.closed ? 0 : stats.max, attributes);
    report(`${prefix}.idle.min`, owner.closed ? 0 : stats.min, attributes);
    report(`${prefix}.pending_requests`, stats.waiting, attributes);
    report(`${prefix}.timeouts`, stats.acquireTimeouts, attributes);
  });
}

function sum(unit: string, description: string): ObservedInstrument {
  return { kind: 'upDownCounter', unit, description };
}
