import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { echo, useFakeTime } from './fake-time.ts';
import { Recorder, settle } from './recorder.ts';

useFakeTime();

describe('a batch', () => {
  test('holds what was added in one tick, and gives each caller its own result', async () => {
    const execute = vi.fn(echo);
    const batcher = new Batcher({ execute });
    expect(await Promise.all([batcher.add(1), batcher.add(2), batcher.add(3)])).toEqual([10, 20, 30]);
    expect(execute.mock.calls.map(([ops]) => ops)).toEqual([[1, 2, 3]]);
  });

  test('takes in what promise jobs of the same tick add', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute });
    const late = Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => batcher.add(2));
    const early = batcher.add(1);
    await settle();
    expect(recorder.batches).toEqual([[1, 2]]);
    await recorder.call(0).answer([1, 2]);
    expect(await Promise.all([early, late])).toEqual([1, 2]);
  });

  test('is never sent inside add', () => {
    const execute = vi.fn(echo);
    const batcher = new Batcher({ execute, maxSize: 1 });
    void batcher.add(1);
    expect(execute).not.toHaveBeenCalled();
  });

  test('is cut at maxSize, in order', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 2 });
    void batcher.addMany([1, 2, 3, 4, 5]);
    await settle();
    expect(recorder.batches).toEqual([[1, 2], [3, 4], [5]]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('is cut at maxBytes, and an operation larger than that is sent alone', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxBytes: 10, sizeOf: (op) => op });
    void batcher.addMany([4, 6, 1, 50, 2, 0.5]);
    await settle();
    expect(recorder.batches).toEqual([[4, 6], [1], [50], [2, 0.5]]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('grows while all slots are busy and goes when one is free', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    void batcher.add(1);
    await settle();
    void batcher.add(2);
    await settle();
    void batcher.add(3);
    await settle();
    expect(recorder.batches).toEqual([[1]]);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2, 3]]);
    await recorder.call(1).answer([2, 3]);
  });

  test('takes in what callers add on the results that freed its slot', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    const chain = batcher.add(1).then(() => batcher.add(3));
    await settle();
    const waiting = batcher.add(2);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2, 3]]);
    await recorder.call(1).answer([2, 3]);
    expect(await Promise.all([chain, waiting])).toEqual([3, 2]);
  });

  test('never exceeds the concurrency', async () => {
    let running = 0;
    let most = 0;
    const batcher = new Batcher({
      maxSize: 1,
      concurrency: 3,
      execute: async (ops: readonly number[]) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return ops;
      },
    });
    const all = batcher.addMany(Array.from({ length: 20 }, (_, index) => index));
    await vi.runAllTimersAsync();
    expect((await all).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(most).toBe(3);
  });

  test('runs outside the async context of its callers, and each caller resumes in its own', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const batcher = storage.run(
      'maker',
      () =>
        new Batcher({
          execute: async (ops: readonly number[]) => {
            seen.push(storage.getStore());
            return ops;
          },
        }),
    );
    const resumed = ['a', 'b', 'c'].map((name, index) =>
      storage.run(name, async () => {
        await batcher.add(index);
        return storage.getStore();
      }),
    );
    expect(await Promise.all(resumed)).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual(['maker']);
  });
});
