import { Histogram, LazyMeter } from '@perf/core';
import { build } from 'hdr-histogram-js';
import type { Comparison } from '../comparison.ts';
import { uniform } from '../random.ts';

/** Latencies in microseconds, as a service sees them: log-normal around 2 ms. Seeded, so that every contender records the same. */
const SAMPLES = logNormal(4_096);

function logNormal(count: number): number[] {
  const next = uniform();
  const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  return Array.from({ length: count }, () => Math.round(2_000 * Math.exp(0.8 * normal())));
}

const sampleAt = (index: number): number => SAMPLES[index & 4_095] as number;

export const core: readonly Comparison[] = [
  {
    package: 'core',
    title: 'histogram, record',
    unit: 'value',
    contenders: () => [
      {
        name: '@perf/core Histogram',
        ours: true,
        run: (iterations) => {
          const histogram = new Histogram();
          for (let i = 0; i < iterations; i++) histogram.record(sampleAt(i));
          return histogram.count;
        },
      },
      {
        name: 'hdr-histogram-js (3 digits)',
        run: (iterations) => {
          const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
          for (let i = 0; i < iterations; i++) histogram.recordValue(sampleAt(i));
          return histogram.totalCount;
        },
      },
    ],
  },
  {
    package: 'core',
    title: 'telemetry without an SDK, against an empty loop',
    unit: 'call',
    contenders: () => {
      const hits = new LazyMeter('bench').counter('hits');
      return [
        {
          name: '@perf/core LazyCounter.add',
          ours: true,
          run: (iterations) => {
            let sum = 0;
            for (let i = 0; i < iterations; i++) {
              hits.add(1);
              sum += i & 1;
            }
            return sum;
          },
        },
        {
          name: 'nothing',
          run: (iterations) => {
            let sum = 0;
            for (let i = 0; i < iterations; i++) sum += i & 1;
            return sum;
          },
        },
      ];
    },
  },
];
