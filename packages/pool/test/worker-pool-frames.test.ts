import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WorkerExitError, WorkerPool, type WorkerPoolOptions } from '../src/index.ts';

vi.setConfig({ testTimeout: 30_000 });

const TASKS = new URL('./fixtures/tasks.ts', import.meta.url);
const pools: WorkerPool[] = [];
function open(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const pool = new WorkerPool({ filename: TASKS, maxWorkers: 1, ...options });
  pools.push(pool);
  return pool;
}
let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'perf-pool-'))));
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close({ force: true })));
  rmSync(folder, { recursive: true });
});

/** Has the pool learn that `name` is fast, so that calls of it travel together. */
async function learn(pool: WorkerPool, name: string, task: unknown): Promise<void> {
  for (let call = 0; call < 30; call++) await pool.run(task, { name });
}
const starts = (log: string): number[] => readFileSync(log, 'utf8').trim().split('\n').map(Number);

describe('ten tasks that travel together, the fourth of which', () => {
  async function runTen(bad: string, options: object = {}) {
    const pool = open({ resourceLimits: { maxOldGenerationSizeMb: 32 } });
    await learn(pool, 'logMany', { log: join(folder, 'warm-up'), id: 0 });
    const log = join(folder, 'log');
    const { frames } = pool.stats();
    // Half of what waits goes in a frame: with ten before them, these are in one.
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, id) => {
        const isBad = id === 3;
        return pool.run({ log, id, ...(isBad && { bad }) }, { name: 'logMany', ...(isBad && options) });
      }),
    );
    expect(pool.stats().frames - frames).toBeLessThan(15);
    expect(starts(log).toSorted((one, other) => one - other)).toEqual(Array.from({ length: 20 }, (_, id) => id));
    for (const [id, outcome] of outcomes.entries()) {
      if (id !== 3) expect(outcome).toEqual({ status: 'fulfilled', value: id });
    }
    return (outcomes[3] as PromiseRejectedResult).reason as unknown;
  }

  test('exits', async () => {
    expect(await runTen('exit')).toMatchObject({ name: 'WorkerExitError', exitCode: 9, task: 'logMany' });
  });

  test('runs out of memory', async () => {
    const error = await runTen('heap');
    expect(error).toBeInstanceOf(WorkerExitError);
    expect((error as Error).cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
  });

  test('runs into its timeout', async () => {
    expect(await runTen('hang', { timeout: 50 })).toMatchObject({ code: 'PERF_POOL_TASK_TIMEOUT' });
  });

  test('is aborted while it runs', async () => {
    const controller = new AbortController();
    const reason = { why: 'because' };
    const timer = setInterval(() => {
      try {
        if (starts(join(folder, 'log')).includes(3)) controller.abort(reason);
      } catch {
        // Nothing was started yet.
      }
    }, 5);
    expect(await runTen('hang', { signal: controller.signal })).toBe(reason);
    clearInterval(timer);
  });
});

test('tiny tasks submitted at once travel together, and their results come in all kinds', async () => {
  const pool = open();
  await learn(pool, 'echo', 1);
  const values = [1, -0, NaN, 'text', null, undefined, true, false, 7n, { deep: [1] }, new Map([[1, 2]]), Infinity];
  const before = pool.stats();
  const tasks = Array.from({ length: 1_200 }, (_, index) => values[index % values.length]);
  const results = await Promise.all(tasks.map((task) => pool.run(task, { name: 'echo' })));
  expect(results).toEqual(tasks);
  expect(Object.is(results[1], -0)).toBe(true);
  const after = pool.stats();
  // Some may have been taken back from a worker that was busy, and sent to another.
  expect(after.tasksSent - before.tasksSent).toBeGreaterThanOrEqual(1_200);
  expect(after.frames - before.frames).toBeLessThan((after.tasksSent - before.tasksSent) / 6);
});

test('slow tasks never wait for each other while a worker is free', async () => {
  const pool = open({ maxWorkers: 2, minWorkers: 2 });
  await pool.warmUp(1, { name: 'later' });
  await Promise.all([pool.run(30, { name: 'later' }), pool.run(30, { name: 'later' })]);
  const slow = [pool.run(30, { name: 'later' }), pool.run(30, { name: 'later' })];
  await Promise.resolve();
  expect(pool.stats()).toMatchObject({ busy: 2, running: 2, waiting: 0 });
  await Promise.all(slow);
});

test('different functions may travel together', async () => {
  const pool = open();
  await learn(pool, 'echo', 1);
  await learn(pool, 'default', 1);
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, index) => pool.run(index, { name: index % 2 === 0 ? 'echo' : 'default' })),
  );
  expect(results).toEqual(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? index : index * 2)));
  expect(pool.stats().tasksSent / pool.stats().frames).toBeGreaterThan(1.5);
});

describe.each(['worker_threads', 'child_process'] as const)('%s', (runtime) => {
  test('an error of a task tells who called it', async () => {
    const pool = open({ runtime });
    async function whoAwaitsIt(): Promise<void> {
      await pool.run(0, { name: 'deepError' });
    }
    const error = await whoAwaitsIt().catch((thrown: unknown) => thrown as Error);
    expect((error as Error).stack).toMatch(/from the worker[^]*tasks\.ts[^]*whoAwaitsIt/);
  });

  test('an error of the pool tells it, too', async () => {
    const pool = open({ runtime });
    async function whoAwaitsIt(): Promise<void> {
      await pool.run(3, { name: 'exit' });
    }
    const error = await whoAwaitsIt().catch((thrown: unknown) => thrown as Error);
    expect((error as Error).stack).toMatch(/whoAwaitsIt/);
  });

  test('what is carried is there in everything a task does, and only there', async () => {
    const storage = new AsyncLocalStorage<{ request: number }>();
    const pool = open({ runtime, carry: () => storage.getStore() });
    const results = await Promise.all(
      [1, 2, 3].map((request) => storage.run({ request }, () => pool.run(0, { name: 'carried' }))),
    );
    expect(results).toEqual([{ request: 1 }, { request: 2 }, { request: 3 }]);
    expect(await pool.run(0, { name: 'carried' })).toBeUndefined();
    const mapped = storage.run({ request: 4 }, () => pool.map([0, 0], { name: 'carried' }));
    for await (const value of mapped) expect(value).toEqual({ request: 4 });
  });

  test('the continuation of a caller keeps its own AsyncLocalStorage', async () => {
    const storage = new AsyncLocalStorage<number>();
    const pool = open({ runtime });
    const stores = await Promise.all(
      [1, 2, 3].map((store) =>
        storage.run(store, async () => {
          await pool.run(store);
          return storage.getStore();
        }),
      ),
    );
    expect(stores).toEqual([1, 2, 3]);
  });

  test('a carried value that cannot be cloned fails its task alone', async () => {
    let bad = true;
    const pool = open({ runtime, carry: () => (bad ? () => {} : 1) });
    const refused = pool.run(1).catch((error: unknown) => error);
    bad = false;
    expect(await pool.run(1)).toBe(2);
    expect(await refused).toMatchObject({ code: 'PERF_POOL_CLONE' });
  });

  test('a task that may be started again survives its worker', async () => {
    const pool = open({ runtime });
    const log = join(folder, 'log');
    const outcome = pool.run({ log, id: 1, bad: 'exit' }, { name: 'logMany', restartable: true });
    await expect(outcome).rejects.toThrow(WorkerExitError);
    expect(starts(log)).toEqual([1, 1, 1]);
  });

  test('a timeout from the submission counts the wait', async () => {
    const pool = open({ runtime });
    const hanging = pool.run(0, { name: 'hang' }).catch((error: unknown) => error);
    await expect(pool.run(1, { timeout: 50, timeoutFrom: 'submit' })).rejects.toMatchObject({
      code: 'PERF_POOL_TASK_TIMEOUT',
    });
    await pool.close({ force: true });
    expect(await hanging).toMatchObject({ code: 'PERF_POOL_CLOSED' });
  });

  test('workers are replaced when they use too much heap', async () => {
    const pool = open({ runtime, maxHeapPerWorker: 1 });
    const ids = [await pool.run(0, { name: 'workerId' }), await pool.run(0, { name: 'workerId' })];
    expect(new Set(ids).size).toBe(2);
    expect(pool.stats().workersLost).toBe(0);
  });

  test('a warm-up starts the workers and loads the module on each', async () => {
    const pool = open({ runtime, maxWorkers: 2 });
    await pool.warmUp(1);
    expect(pool.stats()).toMatchObject({ workersStarted: 2, idle: 2, completed: 2 });
    expect(pool.stats().perWorker.map(({ tasks }) => tasks)).toEqual([1, 1]);
  });
});

test('a warm-up that fails says why', async () => {
  await expect(open().warmUp(1, { name: 'missing' })).rejects.toMatchObject({ code: 'PERF_POOL_LOAD' });
  await expect(open().warmUp(1, { count: 2 })).rejects.toThrow('`count` must be a number from 1 to 1');
});

test('a task after which the event loop is never let go does not freeze timers: frames in a row give way', async () => {
  const pool = open();
  await pool.run(0, { name: 'startTicking' });
  const before = await pool.run<number>(0, { name: 'countTicks' });
  let after = before;
  // One after the other, so that the worker is always about to get the next.
  for (let round = 0; round < 20_000 && after < before + 3; round++)
    after = await pool.run<number>(0, { name: 'countTicks' });
  expect(after).toBeGreaterThan(before + 2);
});

test('a worker that a task left blocked is replaced when the next one cannot start on it', async () => {
  const pool = open({ taskTimeout: 200 });
  await pool.run(0, { name: 'leaveBlocked' });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(await pool.run(2)).toBe(4);
  expect(pool.stats()).toMatchObject({ workersStarted: 2, timedOut: 0, workersLost: 0 });
});

test('utilization and crashes are counted', async () => {
  const pool = open();
  await pool.run(20, { name: 'later' });
  const [worker] = pool.stats().perWorker;
  expect(worker).toMatchObject({ index: 0, tasks: 1 });
  expect(worker!.utilization).toBeGreaterThan(0);
  expect(worker!.utilization).toBeLessThanOrEqual(1);
  await pool.run(1, { name: 'exit' }).catch(() => {});
  expect(pool.stats().crashes).toEqual({ exit: 1, error: 0, memory: 0, signal: 0, start: 0 });
});

test.each<[string, Record<string, unknown>]>([
  ["`timeoutFrom` must be one of 'start', 'submit'", { timeoutFrom: 'birth' }],
  ['`restartable` must be a boolean', { restartable: 1 }],
])('rejects a call with a bad option: %s', async (message, options) => {
  await expect(open().run(1, options)).rejects.toThrow(message);
});

test.each<[string, Record<string, unknown>]>([
  ["`timeoutFrom` must be one of 'start', 'submit'", { timeoutFrom: 'birth' }],
  ['`coalesce` must be a boolean', { coalesce: 'no' }],
  ['`carry` must be a function', { carry: {} }],
  ['`maxHeapPerWorker` must be a positive integer or Infinity', { maxHeapPerWorker: 0 }],
])('refuses a bad option: %s', (message, options) => {
  expect(() => open(options)).toThrow(message);
});
