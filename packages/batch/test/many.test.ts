import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { Batcher } from '../src/index.ts';

interface Op {
  readonly kind: string;
  readonly key: number;
}

const KINDS = ['read', 'write', 'delete', 'create'];

test.each([1, 7, 100_000])('200,000 operations in one tick, %i to a key, come out right', async (perKey) => {
  const batcher = new Batcher<Op, number>({
    execute: async (ops) => ops.map(({ key }) => key * 2),
    maxSize: 500,
    groupBy: ({ kind }) => kind,
    orderingKey: ({ key }) => Math.floor(key / perKey),
  });
  const results = await Promise.all(
    Array.from({ length: 200_000 }, (_, key) => batcher.add({ kind: KINDS[(key >> 9) & 3]!, key })),
  );
  expect(results.every((result, key) => result === key * 2)).toBe(true);
  expect(batcher.stats()).toMatchObject({ pending: 0, groups: 0, orderingKeys: 0, succeeded: 200_000 });
});

test('100,000 operations that wait for room, share a signal and a deadline can all leave at once', async () => {
  const batcher = new Batcher<number, number>({
    execute: () => new Promise(() => {}),
    maxPending: 1000,
    whenFull: 'wait',
  });
  const controller = new AbortController();
  const outcomes = batcher.addMany(
    Array.from({ length: 100_000 }, (_, op) => op),
    { signal: controller.signal, timeout: 1e6 },
  );
  controller.abort('enough');
  expect((await outcomes).every((outcome) => outcome.status === 'rejected' && outcome.reason === 'enough')).toBe(true);
  expect(batcher.stats()).toMatchObject({ pending: 0, parked: 0, groups: 0, withdrawn: 100_000 });
});

test('a continuation that throws does its neighbours no harm', async () => {
  const batcher = new Batcher({ execute: async (ops: readonly number[]) => ops });
  const thrown = batcher.add(1).then(() => {
    throw new Error('in a continuation');
  });
  const [broken, ...others] = await Promise.allSettled([thrown, batcher.add(2), batcher.add(3)]);
  expect(broken.status).toBe('rejected');
  expect(others).toEqual([2, 3].map((value) => ({ status: 'fulfilled', value })));
});

test('20 callers resume in 20 contexts of their own, those that waited for room too, and execute in none of them', async () => {
  const storage = new AsyncLocalStorage<number>();
  const seen = new Set<unknown>();
  const batcher = new Batcher({
    maxPending: 5,
    whenFull: 'wait',
    maxSize: 2,
    dedupeKey: (op: number) => op % 10,
    execute: async (ops: readonly number[]) => {
      seen.add(storage.getStore());
      return ops;
    },
  });
  const callers = Array.from({ length: 20 }, (_, id) =>
    storage.run(id, async () => {
      const { signal } = new AbortController();
      await batcher.add(id, [undefined, { signal }, { timeout: 1000 }, { priority: id }][id % 4]);
      return storage.getStore();
    }),
  );
  expect(await Promise.all(callers)).toEqual(Array.from({ length: 20 }, (_, id) => id));
  expect([...seen]).toEqual([undefined]);
});
