import { Histogram } from '@perf/core';
import type { ConnectionPoolStats } from './stats.ts';

/** How long callers waited, in milliseconds. Those who did not wait cost nothing here: they are the acquired ones that were never recorded. */
export class WaitTimes {
  readonly #histogram = new Histogram();

  record(waited: number): void {
    this.#histogram.record(Math.max(0, waited));
  }

  /** @param acquired how many leases were given out in all */
  summary(acquired: number): Pick<ConnectionPoolStats, 'waitMean' | 'waitP50' | 'waitP99' | 'waitMax'> {
    const histogram = this.#histogram;
    const unrecorded = acquired - histogram.count;
    if (unrecorded > 0) histogram.record(0, unrecorded);
    if (histogram.count === 0) return { waitMean: 0, waitP50: 0, waitP99: 0, waitMax: 0 };
    return {
      waitMean: histogram.mean,
      waitP50: histogram.quantile(0.5),
      waitP99: histogram.quantile(0.99),
      waitMax: histogram.max,
    };
  }
}
