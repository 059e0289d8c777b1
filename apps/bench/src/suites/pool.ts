import { fileURLToPath } from 'node:url';
import { WorkerPool } from '@perf/pool';
import { Piscina } from 'piscina';
import { Tinypool } from 'tinypool';
import type { Comparison, Contender } from '../comparison.ts';
import { poolLimits } from './pool-limits.ts';

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
  ...poolLimits,
];
