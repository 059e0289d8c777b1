import { fileURLToPath } from 'node:url';
import { delay } from '@perf/core';
import { WorkerPool, toShared } from '@perf/pool';
import { Piscina } from 'piscina';
import { FixedThreadPool } from 'poolifier';
import { Tinypool } from 'tinypool';
import workerpool from 'workerpool';
import type { Comparison, Contender } from '../comparison.ts';
import { BareWorker } from './bare-worker.ts';
import { transform, work } from './square.mjs';

const FILENAME = fileURLToPath(new URL('./square.mjs', import.meta.url));
const FOR_WORKERPOOL = fileURLToPath(new URL('./workerpool-worker.mjs', import.meta.url));
const FOR_POOLIFIER = fileURLToPath(new URL('./poolifier-worker.mjs', import.meta.url));

interface Workers {
  readonly name: string;
  readonly ours?: boolean;
  run(n: number): Promise<number>;
  close(): unknown;
}

type Task = 'square' | 'work';

function ours(task: Task, threads: number): Workers {
  const pool = new WorkerPool({ filename: FILENAME, minWorkers: threads, maxWorkers: threads });
  const options = { name: task };
  return { name: '@perf/pool', ours: true, run: (n) => pool.run<number>(n, options), close: () => pool.close() };
}

/** Everyone has as many threads: with one, what is measured is the way there and back. */
function peers(task: Task, threads: number): Workers[] {
  const options = { name: task };
  const sizes = { filename: FILENAME, minThreads: threads, maxThreads: threads };
  const tinypool = new Tinypool(sizes);
  const piscina = new Piscina<number, number>(sizes);
  const theirs = workerpool.pool(FOR_WORKERPOOL, { maxWorkers: threads, workerType: 'thread' });
  const poolifier = new FixedThreadPool<number, number>(threads, FOR_POOLIFIER);
  return [
    { name: 'tinypool', run: (n) => tinypool.run(n, options) as Promise<number>, close: () => tinypool.destroy() },
    { name: 'piscina', run: (n) => piscina.run(n, options), close: () => piscina.destroy() },
    {
      name: 'workerpool',
      run: async (n) => (await theirs.exec(task, [n])) as number,
      close: () => theirs.terminate(),
    },
    {
      name: 'poolifier',
      run: (n) => poolifier.execute(n, task),
      // Once in some twenty times it never says that it is done.
      close: () => Promise.race([poolifier.destroy(), delay(2_000)]),
    },
  ];
}

function onWorkers(
  pools: readonly Workers[],
  run: (pool: Workers, iterations: number) => Promise<number>,
): Contender[] {
  return pools.map((pool) => ({
    name: pool.name,
    ours: pool.ours === true,
    run: (iterations) => run(pool, iterations),
    close: () => pool.close(),
  }));
}

/** With bare messages, too: what a pool adds to them, or takes away. */
function tiny(run: (pool: Workers, iterations: number) => Promise<number>): Contender[] {
  const bare = new BareWorker();
  const postMessage = { name: 'bare postMessage', run: (n: number) => bare.run(n), close: () => bare.close() };
  return onWorkers([ours('square', 1), ...peers('square', 1), postMessage], run);
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

const BURST = 20_000;

/** Several bursts: one alone is over before the heap has found its size again after the collection that precedes each measurement. */
async function bursts(pool: Workers, iterations: number): Promise<number> {
  let sum = 0;
  for (let done = 0; done < iterations; done += BURST) sum += await allAtOnce(pool, Math.min(BURST, iterations - done));
  return sum;
}

function millisecondTasks(): Contender[] {
  const one = { ...ours('work', 1), name: '@perf/pool, one worker', ours: false };
  return onWorkers([ours('work', 2), one, ...peers('work', 2)], allAtOnce);
}

const NUMBERS = 400_000;

/** Makes the map some times, and tells what the last one came to. */
async function repeated(times: number, map: () => Promise<Float64Array> | Float64Array): Promise<number> {
  let result: Float64Array = new Float64Array();
  for (let i = 0; i < times; i++) result = await map();
  return Math.round(result.reduce((sum, value) => sum + value, 0));
}

function sharedMaps(): Contender[] {
  const input = toShared(Float64Array.from({ length: NUMBERS }, (_, i) => i));
  const output = new Float64Array(new SharedArrayBuffer(input.byteLength));
  const pool = new WorkerPool({ filename: FILENAME, minWorkers: 2, maxWorkers: 2 });
  const shared = async (): Promise<Float64Array> => {
    await pool.mapRange({ input, output }, { name: 'transformRange', grain: 4_096 });
    return output;
  };
  const serial = (): Float64Array => {
    for (let i = 0; i < NUMBERS; i++) output[i] = transform(input[i] as number);
    return output;
  };
  return [
    {
      name: '@perf/pool mapRange, two workers',
      ours: true,
      run: (times) => repeated(times, shared),
      close: () => pool.close(),
    },
    { name: 'in this thread', run: (times) => repeated(times, serial) },
    copyingMap(input),
  ];
}

function copyingMap(input: Float64Array): Contender {
  const piscina = new Piscina<Float64Array, Float64Array>({ filename: FILENAME, minThreads: 2, maxThreads: 2 });
  const half = NUMBERS / 2;
  const map = async (): Promise<Float64Array> => {
    const parts = [input.slice(0, half), input.slice(half)];
    const done = await Promise.all(parts.map((part) => piscina.run(part, { name: 'transformAll' })));
    const all = new Float64Array(NUMBERS);
    for (const [index, part] of done.entries()) all.set(part, index * half);
    return all;
  };
  return {
    name: 'piscina, two messages',
    run: (times) => repeated(times, map),
    close: () => piscina.destroy(),
  };
}

function itemMaps(): Contender[] {
  const pool = new WorkerPool({ filename: FILENAME, minWorkers: 2, maxWorkers: 2 });
  const piscina = new Piscina<number, number>({ filename: FILENAME, minThreads: 2, maxThreads: 2 });
  const items = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  return [
    {
      name: '@perf/pool map, two workers',
      ours: true,
      run: async (count) => {
        let sum = 0;
        for await (const result of pool.map<number>(items(count), { name: 'work' })) sum += result;
        return sum;
      },
      close: () => pool.close(),
    },
    { name: 'in this thread', run: (count) => items(count).reduce((sum, item) => sum + work(item), 0) },
    {
      name: 'piscina, a message each',
      run: async (count) => {
        const results = await Promise.all(items(count).map((item) => piscina.run(item, { name: 'work' })));
        return results.reduce((sum, result) => sum + result, 0);
      },
      close: () => piscina.destroy(),
    },
  ];
}

export const poolWorkers: readonly Comparison[] = [
  {
    package: 'pool',
    title: 'tiny tasks one after the other, one worker',
    unit: 'task',
    contenders: () => tiny(oneByOne),
  },
  {
    package: 'pool',
    title: '20,000 tiny tasks at once, one worker',
    unit: 'task',
    iterations: 3 * BURST,
    contenders: () => tiny(bursts),
  },
  { package: 'pool', title: 'tasks of 1 ms, two workers', unit: 'task', iterations: 100, contenders: millisecondTasks },
  {
    package: 'pool',
    title: 'transform 400,000 numbers in shared memory',
    unit: 'map',
    iterations: 5,
    contenders: sharedMaps,
  },
  { package: 'pool', title: 'map of 100 items of 1 ms', unit: 'item', iterations: 100, contenders: itemMaps },
];
