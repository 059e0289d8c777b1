import { fileURLToPath } from 'node:url';
import { Limiter, WorkerPool, mapConcurrent } from '@perf/pool';
import pLimit from 'p-limit';
import pMap from 'p-map';
import { Piscina } from 'piscina';
import { Tinypool } from 'tinypool';
import type { Comparison, Contender } from '../comparison.ts';

const FILENAME = fileURLToPath(new URL('./square.mjs', import.meta.url));

const SQUARE = { name: 'square' };

interface Workers {
  readonly name: string;
  readonly ours?: boolean;
  run(n: number): Promise<number>;
  close(): unknown;
}

/** One worker each: what is measured is the way there and back. */
function workers(): Workers[] {
  const ours = new WorkerPool({ filename: FILENAME, minWorkers: 1, maxWorkers: 1 });
  const tinypool = new Tinypool({ filename: FILENAME, minThreads: 1, maxThreads: 1 });
  const piscina = new Piscina<number, number>({ filename: FILENAME, minThreads: 1, maxThreads: 1 });
  return [
    { name: '@perf/pool', ours: true, run: (n) => ours.run<number>(n, SQUARE), close: () => ours.close() },
    { name: 'tinypool', run: (n) => tinypool.run(n, SQUARE) as Promise<number>, close: () => tinypool.destroy() },
    { name: 'piscina', run: (n) => piscina.run(n, SQUARE), close: () => piscina.destroy() },
  ];
}

function onWorkers(run: (pool: Workers, iterations: number) => Promise<number>): Contender[] {
  return workers().map((pool) => ({
    name: pool.name,
    ours: pool.ours === true,
    run: (iterations) => run(pool, iterations),
    close: () => pool.close(),
  }));
}

async function oneByOne(pool: Workers, iterations: number): Promise<number> {
  let sum = 0;
  for (let i = 0; i < iterations; i++) sum += await pool.run(i);
  return sum;
}

async function allAtOnce(pool: Workers, iterations: number): Promise<number> {
  const results = await Promise.all(Array.from({ length: iterations }, (_, i) => pool.run(i)));
  return results.reduce((sum, result) => sum + result, 0);
}

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

export const pool: readonly Comparison[] = [
  {
    package: 'pool',
    title: 'tiny tasks one after the other, one worker',
    unit: 'task',
    contenders: () => onWorkers(oneByOne),
  },
  {
    package: 'pool',
    title: '2,000 tiny tasks at once, one worker',
    unit: 'task',
    iterations: 2_000,
    contenders: () => onWorkers(allAtOnce),
  },
  { package: 'pool', title: '10,000 jobs through a limit of 16', unit: 'job', iterations: JOBS, contenders: limiters },
  { package: 'pool', title: 'map of 10,000 items, 16 at a time', unit: 'item', iterations: JOBS, contenders: maps },
];
