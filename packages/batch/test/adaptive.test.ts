import { expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

useFakeTime();

/** A store of 1 ms a call and 0.1 ms an operation, in virtual time, which counts in whole milliseconds. */
function timedStore(more: Partial<BatcherOptions<number, number>> = {}) {
  const sizes: number[] = [];
  const store = { sizes, factor: 1, fail: undefined as Error | undefined };
  const batcher = new Batcher<number, number>({
    execute: async (ops) => {
      sizes.push(ops.length);
      await new Promise((resolve) => setTimeout(resolve, store.factor * (10 + ops.length)));
      if (store.fail !== undefined) throw store.fail;
      return ops;
    },
    concurrency: 5,
    ...more,
  });
  return { store, sizes, batcher };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, op) => op);

async function send(batcher: Batcher<number, number>, count: number): Promise<number> {
  const outcomes = batcher.addMany(numbers(count));
  const start = performance.now();
  await vi.runAllTimersAsync();
  await outcomes;
  return performance.now() - start;
}

test('without maxSize the size is found: a burst takes no longer than 1.05 times what the best fixed size takes', async () => {
  const times: number[] = [];
  for (const maxSize of [100, 200, 334, 400, 500, 667, 1000, 2000]) {
    times.push(await send(timedStore({ maxSize }).batcher, 20_000));
  }
  const { batcher } = timedStore();
  expect(await send(batcher, 20_000)).toBeLessThanOrEqual(1.05 * Math.min(...times));
  expect(batcher.stats().maxSize).toBeGreaterThanOrEqual(200);
});

test('what is added at once and is little goes in one batch', async () => {
  const { sizes, batcher } = timedStore();
  for (const count of [1, 10, 100]) await send(batcher, count);
  expect(sizes).toEqual([1, 10, 100]);
});

test('with maxSize the size is that', async () => {
  const { sizes, batcher } = timedStore({ maxSize: 50 });
  await send(batcher, 1000);
  expect(sizes).toEqual(Array(20).fill(50));
  expect(batcher.stats().maxSize).toBe(50);
});

test('with a targetLatency the size keeps to it, falls when the store gets slow, and recovers', async () => {
  // Times 10: 10 ms a call, 1 ms an operation.
  const { store, sizes, batcher } = timedStore({ adaptive: { targetLatency: 100 }, concurrency: 1 });
  await send(batcher, 20_000);
  expect(Math.max(...sizes.slice(50, -1))).toBeLessThanOrEqual(100);
  expect(Math.min(...sizes.slice(50, -1))).toBeGreaterThanOrEqual(75);
  store.factor = 10;
  await send(batcher, 5000);
  expect(batcher.stats().maxSize).toBe(1);
  store.factor = 1;
  await send(batcher, 20_000);
  expect(batcher.stats().maxSize).toBeGreaterThanOrEqual(75);
});

test('maxSize bounds it', async () => {
  const { sizes, batcher } = timedStore({ adaptive: { targetLatency: 1000 }, maxSize: 60 });
  await send(batcher, 5000);
  expect(Math.max(...sizes)).toBe(60);
});

test('batches that are not full never let it grow', async () => {
  const { batcher } = timedStore({ adaptive: { targetLatency: 1000 } });
  const before = batcher.stats().maxSize;
  for (let round = 0; round < 50; round++) await send(batcher, before - 1);
  expect(batcher.stats().maxSize).toBe(before);
});

test.each<[string, Error, boolean]>([
  ['429', Object.assign(new Error(), { status: 429 }), true],
  ['another failure', new Error('broken'), false],
])('with a targetLatency, %s cuts it: %o', async (_, error, cuts) => {
  const { store, batcher } = timedStore({ adaptive: { targetLatency: 1000 } });
  const before = batcher.stats().maxSize;
  store.fail = error;
  await send(batcher, 1);
  expect(batcher.stats().maxSize < before).toBe(cuts);
});

test('one overloaded operation is enough', async () => {
  const batcher = new Batcher<number, number>({
    execute: async (ops) => ops.map((op) => (op === 3 ? Object.assign(new Error(), { statusCode: 429 }) : op)),
    adaptive: { targetLatency: 1000 },
  });
  const before = batcher.stats().maxSize;
  await send(batcher, 5);
  expect(batcher.stats().maxSize).toBeLessThan(before);
});

test('a timeout cuts it, with a target or without', async () => {
  for (const adaptive of [undefined, { targetLatency: 1000 }]) {
    const batcher = new Batcher<number, number>({ execute: () => new Promise(() => {}), timeout: 100, adaptive });
    const before = batcher.stats().maxSize;
    await send(batcher, 1);
    expect(batcher.stats().maxSize).toBeLessThan(before);
  }
});

test('groups have sizes of their own, and keep them while nothing of them is pending', async () => {
  const sizes: Record<string, number[]> = { slow: [], fast: [] };
  const batcher = new Batcher<number, number>({
    execute: async (ops, { group }) => {
      sizes[group]!.push(ops.length);
      await new Promise((resolve) => setTimeout(resolve, group === 'slow' ? ops.length * 50 : ops.length));
      return ops;
    },
    groupBy: (op) => (op % 2 === 0 ? 'slow' : 'fast'),
    adaptive: { targetLatency: 100 },
  });
  await send(batcher, 4000);
  expect(batcher.stats().groups).toBe(0);
  await send(batcher, 4000);
  expect(Math.max(...sizes['slow']!.slice(-50))).toBeLessThanOrEqual(3);
  expect(Math.max(...sizes['fast']!.slice(-10))).toBeGreaterThanOrEqual(80);
});

test('order holds whatever the size', async () => {
  const seen = new Map<number, number[]>();
  const batcher = new Batcher<number, number>({
    execute: async (ops) => {
      await new Promise((resolve) => setTimeout(resolve, 10 + ops.length));
      for (const op of ops) seen.set(op % 7, [...(seen.get(op % 7) ?? []), op]);
      return ops;
    },
    orderingKey: (op) => op % 7,
  });
  await send(batcher, 3000);
  for (const ops of seen.values()) expect(ops).toEqual(ops.toSorted((a, b) => a - b));
});
