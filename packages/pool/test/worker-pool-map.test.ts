import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CallTable } from '../src/call-table.ts';
import { poolMap } from '../src/pool-map.ts';
import { TaskCloneError, WorkerExitError, WorkerPool, type WorkerPoolOptions } from '../src/index.ts';

vi.setConfig({ testTimeout: 30_000 });
const SLOW = { timeout: 20_000 };

const TASKS = new URL('./fixtures/tasks.ts', import.meta.url);
const pools: WorkerPool[] = [];
function open(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const pool = new WorkerPool({ filename: TASKS, maxWorkers: 2, ...options });
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close({ force: true })));
});

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe.each(['worker_threads', 'child_process'] as const)('map over %s', (runtime) => {
  test.each<['auto' | number]>([['auto'], [1], [7], [1_000]])(
    'keeps the order with chunks of %s',
    async (chunkSize) => {
      const pool = open({ runtime });
      const results = await collect(pool.map<number>(range(300), { chunkSize }));
      expect(results).toEqual(range(300).map((item) => item * 2));
      expect(pool.stats()).toMatchObject({ completed: 300, waiting: 0, running: 0 });
    },
  );

  test('a failing item comes after the results before it; the pool goes on', async () => {
    const pool = open({ runtime });
    const got: number[] = [];
    const items = range(100).map((value) => ({ value, bad: 42 }));
    await expect(async () => {
      for await (const result of pool.map<number>(items, { name: 'failOn', chunkSize: 10 })) got.push(result);
    }).rejects.toThrow('bad 42');
    expect(got).toEqual(range(42));
    expect(pool.stats()).toMatchObject({ waiting: 0, running: 0 });
    expect(await pool.run(1)).toBe(2);
  });

  test('an item that cannot be cloned fails alone, in its place', async () => {
    const items: unknown[] = [0, 1, 2, () => {}, 4];
    const got: unknown[] = [];
    const failure = (async () => {
      for await (const result of open({ runtime }).map(items, { name: 'echo', chunkSize: 5 })) got.push(result);
    })().catch((error: unknown) => error);
    expect(await failure).toBeInstanceOf(TaskCloneError);
    expect(got).toEqual([0, 1, 2]);
  });
});

test('an iterable whose async iterator is null is a plain one', async () => {
  const items = Object.assign([1, 2], { [Symbol.asyncIterator]: null });
  expect(await collect(open().map(items))).toEqual([2, 4]);
});

test('a chunk whose reply cannot be read is not run again', async () => {
  const sent: (readonly unknown[])[] = [];
  const runChunk = async (chunk: readonly unknown[]): Promise<never> => {
    sent.push(chunk);
    throw new TaskCloneError({ task: 'default', direction: 'result', cause: undefined });
  };
  const call = new CallTable('file:///tasks.js').get('default', 'each');
  const settings = { runChunk, call, workers: 1, chunkSize: 2, ordered: true, signal: undefined } as const;
  await expect(collect(poolMap([1, 2], settings))).rejects.toBeInstanceOf(TaskCloneError);
  expect(sent).toEqual([[1, 2]]);
});

test('no name of a task is taken for that of a map', async () => {
  const pool = open();
  await expect(pool.run(1, { name: 'default\neach' })).rejects.toMatchObject({ code: 'PERF_POOL_LOAD' });
  expect(await collect(pool.map([1, 2]))).toEqual([2, 4]);
});

test('the chunks of a map that wait leave room in the queue for tasks', async () => {
  const pool = open({ maxWorkers: 2, maxQueue: 2 });
  await pool.warmUp(1);
  const items = [10, ...Array.from({ length: 19 }, () => 500)];
  const mapped = pool.map(items, { name: 'sleep', chunkSize: 1 });
  await mapped.next();
  expect(pool.stats()).toMatchObject({ running: 2, waiting: 2 });
  const tasks = [1, 2].map((value) => pool.run(value));
  await expect(pool.run(3)).rejects.toMatchObject({ code: 'PERF_POOL_QUEUE_FULL', pending: 2, limit: 2 });
  expect(await Promise.all(tasks)).toEqual([2, 4]);
  await mapped.return?.();
});

test('yields nothing of nothing', async () => {
  expect(await collect(open().map([]))).toEqual([]);
});

test('takes async iterables, and does not hold back what has come for what has not', async () => {
  const second = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<number> {
    yield 1;
    await second.promise;
    yield 2;
  }
  const results = open().map<number>(slow(), { chunkSize: 100 });
  expect((await results.next()).value).toBe(2);
  second.resolve();
  expect((await results.next()).value).toBe(4);
  expect((await results.next()).done).toBe(true);
});

test('an error of an async source comes after the results before it', async () => {
  async function* broken(): AsyncGenerator<number> {
    yield* [1, 2, 3];
    throw new Error('source');
  }
  const got: number[] = [];
  await expect(async () => {
    for await (const result of open().map<number>(broken(), { chunkSize: 10 })) got.push(result);
  }).rejects.toThrow('source');
  expect(got).toEqual([2, 4, 6]);
});

test('pulls no more than the chunks under way, however long the input', async () => {
  let pulled = 0;
  let closed = 0;
  function* endless(): Generator<number> {
    try {
      for (;;) yield pulled++;
    } finally {
      closed++;
    }
  }
  let taken = 0;
  for await (const result of open().map(endless(), { chunkSize: 5 })) {
    expect(result).toBe(taken * 2);
    // Two chunks for each of two workers, and the one that is being taken.
    expect(pulled).toBeLessThanOrEqual(taken + 5 * 5);
    if (++taken === 200) break;
  }
  expect(closed).toBe(1);
});

test('leaving early drops the chunks that wait, waits for those that run, and kills nobody', async () => {
  const pool = open();
  for await (const result of pool.map(range(1_000), { name: 'echo', chunkSize: 1 })) if (result === 3) break;
  expect(pool.stats()).toMatchObject({ waiting: 0, running: 0, workersLost: 0 });
  expect(await collect(pool.map([1, 2]))).toEqual([2, 4]);
});

test('an abort ends it at once, and what hangs with it', async () => {
  const pool = open();
  const controller = new AbortController();
  const results = pool.map(range(10), { name: 'hang', chunkSize: 1, signal: controller.signal });
  const next = results.next();
  await expect.poll(() => pool.stats().running, SLOW).toBe(2);
  controller.abort('stop');
  await expect(next).rejects.toBe('stop');
  expect(pool.stats()).toMatchObject({ waiting: 0, running: 0 });
  expect(await pool.run(1)).toBe(2);
});

test('an abort between two results of a chunk is heeded', async () => {
  const controller = new AbortController();
  const got: unknown[] = [];
  await expect(async () => {
    for await (const result of open().map(range(10), { chunkSize: 10, signal: controller.signal })) {
      got.push(result);
      if (got.length === 3) controller.abort('three');
    }
  }).rejects.toBe('three');
  expect(got).toHaveLength(3);
});

test('a falsy value that is thrown is an error all the same', async () => {
  const failed = collect(open().map([null], { name: 'throwValue' })).then(
    () => 'resolved',
    (error: unknown) => error,
  );
  expect(await failed).toBeNull();
});

test('results that are undefined keep their places', async () => {
  const items = [1, undefined, 3, undefined, undefined];
  expect(await collect(open().map(items, { name: 'echo' }))).toEqual(items);
});

test('a worker that dies ends it', async () => {
  const pool = open();
  await expect(collect(pool.map([3, 4, 5], { name: 'exit' }))).rejects.toThrow(WorkerExitError);
  await pool.drain();
  expect(await pool.run(1)).toBe(2);
});

test('a closed pool ends it', async () => {
  const pool = open();
  await pool.close();
  await expect(collect(pool.map([1]))).rejects.toMatchObject({ code: 'PERF_POOL_CLOSED' });
});

test('needs no room in the queue, and leaves it to others', async () => {
  const pool = open({ maxWorkers: 1, maxQueue: 0 });
  expect(await collect(pool.map(range(20), { chunkSize: 1 }))).toHaveLength(20);
});

test('as ready, everything comes once', async () => {
  const results = await collect(open().map<number>(range(500), { ordered: false }));
  expect(results.toSorted((one, other) => one - other)).toEqual(range(500).map((item) => item * 2));
});

test('the timeout holds for each item on average', async () => {
  const pool = open({ taskTimeout: 50 });
  await expect(collect(pool.map([1, 2], { name: 'hang', chunkSize: 2 }))).rejects.toMatchObject({
    code: 'PERF_POOL_TASK_TIMEOUT',
    timeout: 100,
  });
});

test.each<[string, Record<string, unknown>]>([
  ['`chunkSize` must be a positive integer, got 0', { chunkSize: 0 }],
  ['`ordered` must be a boolean', { ordered: 'yes' }],
  ['`signal` must be an AbortSignal, got null', { signal: null }],
  ['map() has no option `concurrency`', { concurrency: 3 }],
])('refuses a bad option when it is called: %s', (message, options) => {
  expect(() => open().map([], options)).toThrow(message);
});

test.skipIf(process.platform !== 'linux')('leaves no threads behind', async () => {
  const threads = (): number => readdirSync('/proc/self/task').length;
  const pool = open({ maxWorkers: 2 });
  await collect(pool.map(range(100)));
  const before = threads();
  await pool.close();
  expect(threads()).toBeLessThan(before);
});
