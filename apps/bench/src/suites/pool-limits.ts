import { Limiter, mapConcurrent } from '@perf/pool';
import Bottleneck from 'bottleneck';
import pLimit from 'p-limit';
import pMap, { pMapIterable } from 'p-map';
import PQueue from 'p-queue';
import type { Comparison, Contender } from '../comparison.ts';

const LIMIT = 16;
const job = (i: number): Promise<number> => Promise.resolve(i);
const total = (results: readonly number[]): number => results.reduce((sum, result) => sum + result, 0);

type Limit = (fn: () => Promise<number>) => Promise<number>;

/** All jobs at once: what is measured is the waiting and the turns. */
function throughLimit(name: string, limit: Limit): Contender {
  return {
    name,
    run: async (iterations) =>
      total(await Promise.all(Array.from({ length: iterations }, (_, i) => limit(() => job(i))))),
  };
}

function limiters(): Contender[] {
  const ours = new Limiter({ maxConcurrent: LIMIT });
  const limit = pLimit(LIMIT);
  const queue = new PQueue({ concurrency: LIMIT });
  return [
    { ...throughLimit('@perf/pool Limiter', (fn) => ours.run(fn)), ours: true },
    throughLimit('p-limit', (fn) => limit(fn)),
    throughLimit('p-queue', (fn) => queue.add(fn)),
  ];
}

/** Takes milliseconds for each job: a table of its own, with fewer of them. */
function slowLimiters(): Contender[] {
  const ours = new Limiter({ maxConcurrent: LIMIT });
  const bottleneck = new Bottleneck({ maxConcurrent: LIMIT });
  return [
    { ...throughLimit('@perf/pool Limiter', (fn) => ours.run(fn)), ours: true },
    throughLimit('bottleneck', (fn) => bottleneck.schedule(fn)),
  ];
}

function prioritised(): Contender[] {
  const ours = new Limiter({ maxConcurrent: LIMIT });
  const queue = new PQueue({ concurrency: LIMIT });
  let next = 0;
  const priority = (): number => (next = (next * 7 + 3) % 10);
  return [
    { ...throughLimit('@perf/pool Limiter', (fn) => ours.run(fn, { priority: priority() })), ours: true },
    throughLimit('p-queue', (fn) => queue.add(fn, { priority: priority() })),
  ];
}

function maps(): Contender[] {
  const items = (iterations: number): number[] => Array.from({ length: iterations }, (_, i) => i);
  const streamed = async (results: AsyncIterable<number>): Promise<number> => {
    let sum = 0;
    for await (const result of results) sum += result;
    return sum;
  };
  return [
    {
      name: '@perf/pool mapConcurrent',
      ours: true,
      run: (iterations) => streamed(mapConcurrent(items(iterations), job, { concurrency: LIMIT })),
    },
    {
      name: 'p-map pMapIterable',
      run: (iterations) => streamed(pMapIterable(items(iterations), job, { concurrency: LIMIT })),
    },
    {
      name: 'p-map, all results at the end',
      run: async (iterations) => total(await pMap(items(iterations), job, { concurrency: LIMIT })),
    },
  ];
}

const PACKAGE = 'pool';

export const poolLimits: readonly Comparison[] = [
  {
    package: PACKAGE,
    title: '100,000 jobs through a limit of 16',
    unit: 'job',
    iterations: 100_000,
    contenders: limiters,
  },
  {
    package: PACKAGE,
    title: '10,000 jobs of ten priorities',
    unit: 'job',
    iterations: 10_000,
    contenders: prioritised,
  },
  { package: PACKAGE, title: '200 jobs through a limit of 16', unit: 'job', iterations: 200, contenders: slowLimiters },
  { package: PACKAGE, title: 'map of 10,000 items, 16 at a time', unit: 'item', iterations: 10_000, contenders: maps },
];
