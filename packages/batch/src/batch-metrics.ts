import type { MetricOptions } from '@opentelemetry/api';

/** The instrumentation scope of everything in this package. */
export const SCOPE = '@perf/batch';

/** Bucket advice for durations, in seconds. */
export const SECONDS: NonNullable<MetricOptions['advice']> = {
  explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};

/** Bucket advice for how much is in a batch. */
export const SIZES: NonNullable<MetricOptions['advice']> = {
  explicitBucketBoundaries: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000],
};
