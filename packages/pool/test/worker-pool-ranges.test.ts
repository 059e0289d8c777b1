import { afterEach, expect, test, vi } from 'vitest';
import fc from 'fast-check';
import { WorkerPool, type WorkerPoolOptions, toShared } from '../src/index.ts';
import { claimRange, createCursor } from '../src/range-claims.ts';

vi.setConfig({ testTimeout: 30_000 });

const pools: WorkerPool[] = [];
function open(options: Partial<WorkerPoolOptions> = {}): WorkerPool {
  const filename = new URL('./fixtures/tasks.ts', import.meta.url);
  const pool = new WorkerPool({ filename, maxWorkers: 2, ...options });
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close({ force: true })));
});
const shared = (length: number): Float64Array<SharedArrayBuffer> => new Float64Array(new SharedArrayBuffer(8 * length));

test('workers share the elements: each is worked on once, in place, and the results come in order', async () => {
  const input = toShared(Float64Array.from({ length: 100_000 }, (_, index) => index));
  const output = shared(input.length);
  const results = await open().mapRange<number>({ input, output }, { name: 'squareRange', grain: 500 });
  expect(output[99_999]).toBe(99_999 ** 2);
  expect(output.every((value, index) => value === index ** 2)).toBe(true);
  expect(results[0]?.start).toBe(0);
  expect(results.at(-1)?.end).toBe(100_000);
  for (const [index, { start, end }] of results.entries()) {
    expect(end).toBeGreaterThan(start);
    if (index > 0) expect(start).toBe(results[index - 1]?.end);
  }
  const sum = results.reduce((total, { value }) => total + value, 0);
  expect(sum).toBe(output.reduce((total, value) => total + value, 0));
});

test('every element is visited exactly once', async () => {
  const counts = new Int32Array(new SharedArrayBuffer(4 * 10_007));
  await open().mapRange(counts, { name: 'countRange' });
  expect(counts.every((count) => count === 1)).toBe(true);
});

test('nothing is done for nothing, and a length of its own is heeded', async () => {
  const pool = open();
  expect(await pool.mapRange(shared(0), { name: 'countRange' })).toEqual([]);
  const counts = new Int32Array(new SharedArrayBuffer(40));
  await pool.mapRange(counts, { name: 'countRange', length: 4 });
  expect([...counts]).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
});

test('the first failure is the rejection, and no range is claimed after it', async () => {
  const pool = open();
  await expect(pool.mapRange(shared(1_000), { name: 'failRange' })).rejects.toThrow(/range at/);
  expect(pool.stats()).toMatchObject({ running: 0, waiting: 0, workersLost: 0 });
  expect(await pool.run(1)).toBe(2);
});

test('when a worker ends, the others claim no more', async () => {
  const pool = open();
  await pool.warmUp(1);
  const claimed = new Int32Array(new SharedArrayBuffer(400));
  const error = await pool.mapRange(claimed, { name: 'exitRange' }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'PERF_POOL_WORKER_EXIT', exitCode: 3 });
  expect(claimed[0]).toBeLessThan(10);
});

test('an abort and a timeout end it, and what hangs with it', async () => {
  const pool = open();
  await pool.warmUp(1);
  const controller = new AbortController();
  const hanging = pool.mapRange(shared(10), { name: 'hangRange', signal: controller.signal });
  await Promise.resolve();
  controller.abort('enough');
  await expect(hanging).rejects.toBe('enough');
  await expect(pool.mapRange(shared(10), { name: 'hangRange', timeout: 30 })).rejects.toMatchObject({
    code: 'PERF_POOL_TASK_TIMEOUT',
  });
  expect(await pool.run(1)).toBe(2);
});

test.each<[string, unknown, Record<string, unknown>]>([
  ['`data` must lie in a SharedArrayBuffer', new Float64Array(3), {}],
  ['`data.input` must lie in a SharedArrayBuffer', { input: new Float64Array(3) }, {}],
  ['must be a typed array over shared memory', {}, {}],
  ['takes an options object, got null', null, {}],
  ['must be of the same length', { one: shared(3), two: shared(4) }, {}],
  ['`grain` must be a positive integer, got 0', shared(3), { grain: 0 }],
  ['`length` must be a non-negative integer, got -1', shared(3), { length: -1 }],
  ['mapRange() has no option `chunkSize`', shared(3), { chunkSize: 3 }],
])('rejects bad data or a bad option: %s', async (message, data, options) => {
  await expect(open().mapRange(data as never, options)).rejects.toThrow(message);
});

test('processes cannot share memory, and say so', async () => {
  await expect(open({ runtime: 'child_process' }).mapRange(shared(3))).rejects.toThrow('needs threads');
});

test('toShared copies, and takes typed arrays only', () => {
  const original = Uint8Array.of(1, 2, 3);
  const copy = toShared(original);
  expect(copy.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect([...copy]).toEqual([1, 2, 3]);
  expect(() => toShared([1] as never)).toThrow('`array` must be a typed array');
});

test('claims cover everything once, whatever the plan', () => {
  fc.assert(
    fc.property(
      fc.nat(5_000),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 16 }),
      (length, grain, workers) => {
        const cursor = createCursor();
        let next = 0;
        for (let claim = claimRange(cursor, { length, grain, workers }); claim;) {
          expect(claim[0]).toBe(next);
          expect(claim[1] - claim[0]).toBeGreaterThanOrEqual(Math.min(grain, length - claim[0]));
          next = claim[1];
          claim = claimRange(cursor, { length, grain, workers });
        }
        expect(next).toBe(length);
      },
    ),
  );
});
