import { Limiter, mapConcurrent } from '@perf/pool';
import pLimit from 'p-limit';
import pMap from 'p-map';
import type { Comparison, Contender } from '../comparison.ts';

const JOBS = 10_000;
const job = (i: number): Promise<number> => Promise.resolve(i);
const total = (results: readonly number[]): number => results.reduce((sum, result) => sum + result, 0);

function limiters(): Contender[] {
  const ours = new Limiter({ maxConcurrent: 16 });
  const theirs = pLimit(16);
  const jobs = (iterations: number, run: (i: number) => Promise<number>): Promise<number[]> =>
    Promise.all(Array.from({ length: iterations }, (_, i) => run(i)));
  return [
    {
      name: '@perf/pool Limiter',
      ours: true,
      run: async (iterations) => total(await jobs(iterations, (i) => ours.run(() => job(i)))),
    },
    { name: 'p-limit', run: async (iterations) => total(await jobs(iterations, (i) => theirs(() => job(i)))) },
  ];
}

function maps(): Contender[] {
  const items = (iterations: number): number[] => Array.from({ length: iterations }, (_, i) => i);
  return [
    {
      name: '@perf/pool mapConcurrent',
      ours: true,
      run: async (iterations) => {
        let sum = 0;
        for await (const result of mapConcurrent(items(iterations), job, { concurrency: 16 })) sum += result;
        return sum;
      },
    },
    { name: 'p-map', run: async (iterations) => total(await pMap(items(iterations), job, { concurrency: 16 })) },
  ];
}

export const poolLimits: readonly Comparison[] = [
  { package: 'pool', title: '10,000 jobs through a limit of 16', unit: 'job', iterations: JOBS, contenders: limiters },
  { package: 'pool', title: 'map of 10,000 items, 16 at a time', unit: 'item', iterations: JOBS, contenders: maps },
];
