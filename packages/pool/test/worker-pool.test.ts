import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isPerfError } from '@perf/core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  PoolQueueFullError,
  TaskCloneError,
  TaskLoadError,
  TaskTimeoutError,
  WorkerExitError,
  WorkerPool,
  type WorkerPoolOptions,
  WorkerStartError,
} from '../src/index.ts';

// Each worker is a new thread or process, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 });
const SLOW = { timeout: 20_000 };

const TASKS = new URL('./fixtures/tasks.ts', import.meta.url);
const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url);

const pools: WorkerPool[] = [];
function open(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const pool = new WorkerPool({ filename: TASKS, maxWorkers: 1, ...options });
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close({ force: true })));
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error: unknown) => error,
  );

describe.each(['worker_threads', 'child_process'] as const)('a pool of %s', (runtime) => {
  const start = (options: Partial<WorkerPoolOptions> = {}): WorkerPool => open({ runtime, ...options });

  test('runs the default export and named ones elsewhere', async () => {
    const pool = start();
    expect(await pool.run(21)).toBe(42);
    const { main, worker } = await pool.run<{ main: boolean; worker: string }>(undefined, { name: 'where' });
    expect(main).toBe(runtime === 'child_process');
    expect(worker).not.toBe(`${process.pid}:0`);
  });

  test('copies what structured clone copies, both ways', async () => {
    const value = { at: new Date(7), map: new Map([[1, { set: new Set(['a']) }]]), none: undefined, big: 7n };
    expect(await start().run(value, { name: 'echo' })).toEqual(value);
    expect(await start().run(undefined, { name: 'echo' })).toBeUndefined();
  });

  test('loads CommonJS modules too', async () => {
    expect(await start({ filename: fixture('common.cjs') }).run(4, { name: 'triple' })).toBe(12);
  });

  test('finds the default export of a module that was compiled to CommonJS', async () => {
    expect(await start({ filename: fixture('compiled.cjs') }).run(4)).toBe(16);
  });

  test('takes a path for a URL', async () => {
    expect(await start({ filename: fileURLToPath(TASKS) }).run(4)).toBe(8);
  });

  test.each([0, 1, 7])('a task that exits with code %i rejects with it, and the others run', async (code) => {
    const pool = start();
    const dead = failure(pool.run(code, { name: 'exit' }));
    const others = Promise.all([pool.run(1), pool.run(2)]);
    expect(await dead).toMatchObject({ name: 'WorkerExitError', code: 'PERF_POOL_WORKER_EXIT', exitCode: code });
    expect(await others).toEqual([2, 4]);
    expect(pool.stats()).toMatchObject({ workersLost: 1, failed: 1, completed: 2, running: 0, waiting: 0 });
  });

  test('an error outside of the promise of a task ends the worker and only that task', async () => {
    const pool = start();
    const error = await failure(pool.run(0, { name: 'uncaught' }));
    expect(error).toBeInstanceOf(WorkerExitError);
    expect(error).toMatchObject({ exitCode: 1, task: 'uncaught' });
    if (runtime === 'worker_threads') expect((error as Error).cause).toMatchObject({ message: 'later' });
    expect(await pool.run(3)).toBe(6);
  });

  test('a task out of memory rejects alone, again and again, and there are never more workers than allowed', async () => {
    const pool = start({ resourceLimits: { maxOldGenerationSizeMb: 48 } });
    for (let round = 0; round < 2; round++) {
      const error = await failure(pool.run(0, { name: 'heap' }));
      expect(error).toBeInstanceOf(WorkerExitError);
      if (runtime === 'worker_threads') {
        expect((error as Error).cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
      } else expect(error).toMatchObject({ exitCode: undefined, signalCode: 'SIGABRT' });
      expect(pool.stats().workers).toBeLessThanOrEqual(1);
    }
    expect(await pool.run(3)).toBe(6);
  });

  test('a task that hangs ends with its worker, and its place is taken by a fresh one', async () => {
    const pool = start();
    const before = await pool.run(0, { name: 'workerId' });
    const error = await failure(pool.run(0, { name: 'hang', timeout: 50 }));
    expect(error).toBeInstanceOf(TaskTimeoutError);
    expect(error).toMatchObject({ code: 'PERF_POOL_TASK_TIMEOUT', timeout: 50, task: 'hang' });
    expect(await pool.run(0, { name: 'workerId' })).not.toBe(before);
  });

  test('the timeout of the pool holds for an async task that never settles', async () => {
    const pool = start({ taskTimeout: 50 });
    expect(await failure(pool.run(0, { name: 'never' }))).toBeInstanceOf(TaskTimeoutError);
  });

  test('an aborted task rejects with the reason itself; its neighbours finish', async () => {
    const pool = start({ maxWorkers: 2 });
    const controller = new AbortController();
    const reason = { why: 'because' };
    await Promise.all([pool.run(1), pool.run(1)]);
    await expect.poll(() => pool.stats().idle, SLOW).toBe(2);
    const neighbour = pool.run(200, { name: 'later' });
    const running = failure(pool.run(0, { name: 'hang', signal: controller.signal }));
    await Promise.resolve();
    expect(pool.stats().running).toBe(2);
    const waiting = failure(pool.run(0, { name: 'hang', signal: controller.signal }));
    const behind = pool.run(5);
    controller.abort(reason);
    expect(await running).toBe(reason);
    expect(await waiting).toBe(reason);
    expect(await failure(pool.run(1, { signal: controller.signal }))).toBe(reason);
    expect(await neighbour).toBe('done');
    expect(await behind).toBe(10);
    expect(pool.stats().aborted).toBe(2);
  });

  test('a result that cannot be cloned is an error of its task; the worker lives on', async () => {
    const pool = start();
    const before = await pool.run(0, { name: 'workerId' });
    const error = await failure(pool.run(0, { name: 'uncloneable' }));
    expect(error).toBeInstanceOf(TaskCloneError);
    expect(error).toMatchObject({ code: 'PERF_POOL_CLONE', direction: 'result', task: 'uncloneable' });
    expect((error as Error).cause).toBeInstanceOf(Error);
    expect(await pool.run(0, { name: 'workerId' })).toBe(before);
  });

  test('an input that cannot be cloned is an error of its task and never starts', async () => {
    const pool = start();
    const before = await pool.run(0, { name: 'workerId' });
    const errors = [() => 1, Symbol('no'), { deep: [new WeakMap()] }].map((input) => failure(pool.run(input)));
    for (const error of await Promise.all(errors)) {
      expect(error).toBeInstanceOf(TaskCloneError);
      expect(error).toMatchObject({ direction: 'input' });
    }
    expect(await pool.run(0, { name: 'workerId' })).toBe(before);
    expect(pool.stats()).toMatchObject({ workersLost: 0, failed: 3 });
  });

  test('an error keeps class, name, message, stack, code, own properties and causes', async () => {
    const error = (await failure(start().run(404, { name: 'throwHttp' }))) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.constructor.name).toBe('HttpError');
    expect(error).toMatchObject({ name: 'TypeError', message: 'status 404', code: 'E_HTTP', status: 404 });
    expect(error.stack).toContain('tasks.ts');
    expect('socket' in error).toBe(false);
    expect(error.cause).toBeInstanceOf(RangeError);
    expect((error.cause as Error).cause).toBe('innermost');
    expect(Object.keys(error).toSorted()).toEqual(['code', 'status']);
  });

  test('aggregate errors, errors of @perf and DOM exceptions stay what they are', async () => {
    const pool = start();
    const many = (await failure(pool.run(0, { name: 'throwMany' }))) as AggregateError;
    expect(many).toBeInstanceOf(AggregateError);
    expect(many.errors[0]).toBeInstanceOf(SyntaxError);
    expect(many.errors.slice(1)).toEqual(['two', null]);
    const perf = await failure(pool.run(0, { name: 'throwPerf' }));
    expect(isPerfError(perf, 'PERF_POOL_QUEUE_FULL')).toBe(true);
    expect(perf).toMatchObject({ name: 'PoolQueueFullError', pending: 3 });
    const abort = await failure(pool.run(0, { name: 'throwAbort' }));
    expect(abort).toBeInstanceOf(DOMException);
    expect(abort).toMatchObject({ name: 'AbortError', message: 'stopped' });
  });

  test.each([null, undefined, 'text', 7, { plain: true }])('throwing %o rejects with it', async (value) => {
    expect(await failure(start().run(value, { name: 'throwValue' }))).toEqual(value);
  });

  test('whatever is thrown, there is an answer', async () => {
    const pool = start();
    expect(await failure(pool.run(0, { name: 'throwFunction' }))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('function thrown') as string,
    });
    expect(await failure(pool.run(0, { name: 'throwHostile' }))).toBeInstanceOf(Error);
    const circle = (await failure(pool.run(0, { name: 'throwCircle' }))) as Error;
    expect((circle.cause as Error).message).toBe('circle');
    expect(pool.stats().workersLost).toBe(0);
  });

  test.each([
    ['syntax error', new URL('data:text/javascript,export default (')],
    ['throws', fixture('throws-at-import.js')],
    ['no such file', fixture('no-such-file.js')],
  ])('a module that cannot be imported (%s) rejects each call and starts no storm', async (_, filename) => {
    const pool = start({ filename });
    for (let call = 0; call < 3; call++) {
      const error = await failure(pool.run(0));
      expect(error).toBeInstanceOf(TaskLoadError);
      expect((error as Error).cause).toBeInstanceOf(Error);
    }
    expect(pool.stats()).toMatchObject({ workersStarted: 1, workersLost: 0 });
  });

  test('an export that is missing or no function rejects each call, and others run', async () => {
    const pool = start();
    for (const name of ['missing', 'missing', 'toString']) {
      expect(await failure(pool.run(0, { name }))).toMatchObject({ code: 'PERF_POOL_LOAD', task: name });
    }
    expect(await pool.run(1)).toBe(2);
  });

  test('gives tasks the worker data, and the environment of this process or the one it was given', async () => {
    process.env['PERF_POOL_TEST'] = 'inherited';
    const pool = start({ workerData: { answer: 42 } });
    expect(await pool.run(0, { name: 'data' })).toEqual({ answer: 42 });
    expect(await pool.run('PERF_POOL_TEST', { name: 'environment' })).toBe('inherited');
    const own = start({ env: { ...process.env, PERF_POOL_TEST: 'own' } });
    expect(await own.run('PERF_POOL_TEST', { name: 'environment' })).toBe('own');
  });

  test('a worker is replaced after its number of tasks', async () => {
    const pool = start({ maxTasksPerWorker: 2 });
    const ids: unknown[] = [];
    for (let task = 0; task < 5; task++) ids.push(await pool.run(0, { name: 'workerId' }));
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toBe(ids[1]);
    expect(pool.stats().workersLost).toBe(0);
  });

  test('timers of a worker run between tasks', async () => {
    const pool = start();
    await pool.run(0, { name: 'startTicking' });
    await expect.poll(() => pool.run<number>(0, { name: 'countTicks' }), SLOW).toBeGreaterThan(2);
  });

  test('a process whose pool is idle ends by itself', async () => {
    const script = fileURLToPath(fixture('idle-process.ts'));
    const { stdout } = await promisify(execFile)(process.execPath, [script, runtime], { timeout: 20_000 });
    expect(stdout).toBe('42');
  });

  test('a refused task is told how many wait, also when all of them came at once', async () => {
    const pool = start({ maxWorkers: 1, maxQueue: 1 });
    const others = Promise.all([pool.run(1), pool.run(2)]);
    expect(await failure(pool.run(3))).toMatchObject({ code: 'PERF_POOL_QUEUE_FULL', pending: 1, limit: 1 });
    expect(await others).toEqual([2, 4]);
  });

  test('a process that only waits for a task hears that its worker ended', async () => {
    const script = fileURLToPath(fixture('lost-process.ts'));
    const { stdout } = await promisify(execFile)(process.execPath, [script, runtime], { timeout: 20_000 });
    expect(stdout).toBe('3,3,3,3,3,3,3,3,');
  });

  test('a worker that cannot start rejects what waits for it, and is not started for ever', async () => {
    const pool = start({ minWorkers: 1, env: { ...process.env, NODE_OPTIONS: '--no-such-flag' } });
    const errors = await Promise.all([failure(pool.run(1)), failure(pool.run(2))]);
    for (const error of errors) expect(error).toBeInstanceOf(WorkerStartError);
    expect(pool.stats()).toMatchObject({ workers: 0, waiting: 0, completed: 0 });
    expect(pool.stats().workersStarted).toBeLessThanOrEqual(2);
  });
});

describe('a pool of threads', () => {
  test('a task starts at most once, even if workers die between tasks', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perf-pool-'));
    const log = join(folder, 'log');
    const pool = open({ maxWorkers: 2 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, id) =>
        pool.run({ log, id, ...(id % 5 === 2 && { then: 'exit soon' }) }, { name: 'logged' }),
      ),
    );
    const started = readFileSync(log, 'utf8').trim().split('\n').map(Number);
    rmSync(folder, { recursive: true });
    expect(new Set(started).size).toBe(started.length);
    // Whatever was rejected had started: the others ran elsewhere.
    for (const [id, outcome] of outcomes.entries()) {
      expect(started).toContain(id);
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(WorkerExitError);
    }
  });

  test('buffers move to the worker and back', async () => {
    const pool = open();
    const buffer = new ArrayBuffer(64);
    expect(await pool.run(buffer, { name: 'size', transferList: [buffer] })).toBe(64);
    expect(buffer.detached).toBe(true);
    expect(await pool.run<Uint8Array>(3, { name: 'bytes' })).toEqual(new Uint8Array([7, 7, 7]));
  });

  test('a buffer whose task could not be sent stays usable', async () => {
    const buffer = new ArrayBuffer(64);
    const error = await failure(open().run({ buffer, bad: () => {} }, { transferList: [buffer] }));
    expect(error).toBeInstanceOf(TaskCloneError);
    expect(buffer.byteLength).toBe(64);
  });

  test('a task that moves a buffer waits for a worker of its own: what was sent behind a slow one could not be sent again', async () => {
    const pool = open();
    for (let round = 0; round < 50; round++) await pool.run(undefined, { name: 'sleep' });
    const slow = pool.run(100, { name: 'sleep' });
    await Promise.resolve();
    const buffer = new ArrayBuffer(64);
    expect(await pool.run(buffer, { name: 'size', transferList: [buffer] })).toBe(64);
    expect(await slow).toBe(100);
  });

  test('a restartable task whose buffer moved to a worker that ended says so', async () => {
    const buffer = new ArrayBuffer(64);
    const options = { name: 'exitAnyhow', transferList: [buffer], restartable: true } as const;
    expect(await failure(open().run(buffer, options))).toBeInstanceOf(WorkerExitError);
  });

  test.each([false, true])(
    'a warm-up that is under way when its pool closes rejects with that (force: %s)',
    async (force) => {
      const pool = open({ maxWorkers: 2 });
      const warm = failure(pool.warmUp(1));
      await pool.close({ force });
      expect(await warm).toMatchObject({ code: 'PERF_POOL_CLOSED' });
    },
  );

  test('shared memory is shared', async () => {
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const pool = open({ maxWorkers: 2 });
    await Promise.all(Array.from({ length: 10 }, () => pool.run(counter, { name: 'increment' })));
    expect(counter[0]).toBe(10);
  });

  test('a pool inside a worker works', async () => {
    expect(await open().run(4, { name: 'nested' })).toBe(8);
  });

  test('a full queue refuses; what is refused and then aborted rejects once', async () => {
    const pool = open({ maxQueue: 1 });
    const controller = new AbortController();
    const held = failure(pool.run(0, { name: 'hang', signal: controller.signal }));
    const waiting = pool.run(1);
    const error = await failure(pool.run(2, { signal: controller.signal }));
    expect(error).toBeInstanceOf(PoolQueueFullError);
    expect(error).toMatchObject({ code: 'PERF_POOL_QUEUE_FULL', pending: 1, limit: 1 });
    controller.abort('enough');
    expect(await held).toBe('enough');
    expect(await waiting).toBe(2);
    expect(pool.stats().refused).toBe(1);
  });

  test('without a queue, as many tasks as workers are taken', async () => {
    const pool = open({ maxQueue: 0, maxWorkers: 2 });
    const outcomes = await Promise.allSettled([pool.run(1), pool.run(2), pool.run(3)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });

  test('higher priorities go first, equal ones in the order they came', async () => {
    const pool = open();
    const order: unknown[] = [];
    const tasks = [0, 0, 2, 1, 2].map((priority, index) =>
      pool.run(`${priority}/${index}`, { name: 'echo', priority }).then((result) => order.push(result)),
    );
    await Promise.all(tasks);
    expect(order).toEqual(['2/2', '2/4', '1/3', '0/0', '0/1']);
  });

  test('many tasks may share one signal: no warning, and no listener stays', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    const { signal } = new AbortController();
    const pool = open();
    await Promise.all(Array.from({ length: 50 }, (_, index) => pool.run(index, { signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('keeps the minimum, and ends what is idle above it', async () => {
    const pool = open({ minWorkers: 1, maxWorkers: 2, idleTimeout: 20 });
    expect(pool.stats().workers).toBe(1);
    await Promise.all([pool.run(20, { name: 'later' }), pool.run(20, { name: 'later' })]);
    expect(pool.stats().workersStarted).toBe(2);
    await expect.poll(() => pool.stats().workers, SLOW).toBe(1);
    expect(await pool.run(1)).toBe(2);
  });

  test('drain waits for everything and leaves the pool open', async () => {
    const pool = open();
    await pool.drain();
    let done = 0;
    for (let task = 0; task < 3; task++) void pool.run(5, { name: 'later' }).then(() => done++);
    await pool.drain();
    expect(done).toBe(3);
    expect(await pool.run(1)).toBe(2);
  });

  test('close lets everything finish, refuses the rest and frees the workers', async () => {
    const pool = open();
    const tasks = Promise.all([pool.run(1), pool.run(2)]);
    const closing = pool.close();
    expect(pool.closed).toBe(true);
    expect(await failure(pool.run(3))).toMatchObject({ name: 'ClosedError', code: 'PERF_POOL_CLOSED' });
    expect(await tasks).toEqual([2, 4]);
    await closing;
    await pool.close();
    expect(pool.stats()).toMatchObject({ workers: 0, idle: 0, running: 0, waiting: 0 });
    expect(await failure(pool.run(3))).toMatchObject({ code: 'PERF_POOL_CLOSED' });
  });

  test('a forced close rejects what waits and what runs, once', async () => {
    const pool = open();
    const tasks = ['hang', 'default', 'default'].map((name) => failure(pool.run(1, { name })));
    const graceful = pool.close();
    await pool.close({ force: true });
    await graceful;
    for (const error of await Promise.all(tasks)) expect(error).toMatchObject({ code: 'PERF_POOL_CLOSED' });
    expect(pool.stats().workers).toBe(0);
  });

  test('a close with a timeout does not wait for a hanging task', async () => {
    const pool = open();
    const hanging = failure(pool.run(0, { name: 'hang' }));
    await pool.close({ timeout: 20 });
    expect(await hanging).toMatchObject({ code: 'PERF_POOL_CLOSED' });
  });

  test('await using closes it', async () => {
    let pool: WorkerPool;
    {
      await using used = (pool = open());
      void used.run(1);
    }
    expect(pool.stats()).toMatchObject({ workers: 0, completed: 1 });
  });

  test('closing while the first worker starts', async () => {
    const pool = open({ minWorkers: 1 });
    await pool.close();
    expect(pool.stats()).toMatchObject({ workers: 0, starting: 0, workersLost: 0 });
  });

  test.each<[string, Partial<WorkerPoolOptions> | Record<string, unknown>]>([
    ['`filename` must be a URL or an absolute path, got "./tasks.js"', { filename: './tasks.js' }],
    ['`maxWorkers` must be a positive integer, got 0', { maxWorkers: 0 }],
    ['`maxWorkers` must be a number from 3 to 9007199254740991, got 2', { minWorkers: 3, maxWorkers: 2 }],
    ['`maxQueue` must be a non-negative integer, got -1', { maxQueue: -1 }],
    ['`taskTimeout` must be a positive number of milliseconds or Infinity, got 0', { taskTimeout: 0 }],
    ["`runtime` must be one of 'worker_threads', 'child_process', got \"fibers\"", { runtime: 'fibers' }],
    ['WorkerPool has no option `maxThreads`', { maxThreads: 2 }],
    ['`workerData` must be cloneable', { workerData: () => {} }],
    [
      '`resourceLimits.maxOldGenerationSizeMb` must be a number from 8',
      { resourceLimits: { maxOldGenerationSizeMb: 1 } },
    ],
    ['resourceLimits has no option `heap`', { resourceLimits: { heap: 1 } }],
    ['`env` must be an object', { env: 'PATH' }],
    [
      "`resourceLimits.stackSizeMb` is for the runtime 'worker_threads' only",
      { runtime: 'child_process', resourceLimits: { stackSizeMb: 4 } },
    ],
  ])('refuses a bad option: %s', (message, options) => {
    expect(() => open(options as Partial<WorkerPoolOptions>)).toThrow(message);
  });

  test.each<[string, Record<string, unknown>]>([
    ['`timeout` must be a positive number', { timeout: -1 }],
    ['`name` must be a non-empty string', { name: '' }],
    ['`priority` must be a number', { priority: NaN }],
    ['`signal` must be an AbortSignal, got null', { signal: null }],
    ['`transferList` must be an array, got null', { transferList: null }],
    ['`transferList` must be an array, got string', { transferList: 'ab' }],
    ['run() has no option `retry`', { retry: 3 }],
  ])('rejects a call with a bad option: %s', async (message, options) => {
    await expect(open().run(1, options)).rejects.toThrow(message);
  });
});
