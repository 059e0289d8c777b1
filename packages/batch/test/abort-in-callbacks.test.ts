import { describe, expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

useFakeTime();

type Options = Partial<BatcherOptions<number, number>>;

/** Fails at first, then answers; notes what it is sent, and that never two calls run at once. */
function failingOnce(fail: (ops: readonly number[]) => readonly (number | Error)[]) {
  const batches: (readonly number[])[] = [];
  let running = 0;
  let most = 0;
  const execute = async (ops: readonly number[]): Promise<readonly (number | Error)[]> => {
    batches.push(ops);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return batches.length === 1 ? fail(ops) : ops;
  };
  return { execute, batches, most: () => most };
}

const WAYS: readonly [string, (ops: readonly number[]) => readonly (number | Error)[]][] = [
  [
    'the batch',
    () => {
      throw new Error('down');
    },
  ],
  ['each operation', (ops) => ops.map(() => new Error('down'))],
];

const CALLBACKS: readonly [string, (abort: () => void) => Options][] = [
  ['isRetryable', (abort) => ({ retry: { isIdempotent: () => true, isRetryable: () => (abort(), true) } })],
  ['isIdempotent', (abort) => ({ retry: { isIdempotent: () => (abort(), true) } })],
  ['retryAfter', (abort) => ({ retry: { isIdempotent: () => true, retryAfter: () => (abort(), 1) } })],
  ['atomic', (abort) => ({ retry: {}, atomic: () => (abort(), true) })],
  [
    'bisect',
    (abort) => ({ bisect: () => (abort(), true), retry: { isIdempotent: () => true, isRetryable: () => false } }),
  ],
];

describe('an abort inside a callback about a failure', () => {
  describe.each(WAYS)('of %s', (_, fail) => {
    describe.each(CALLBACKS)('in %s', (_callback, optionsFor) => {
      test.each([[[0]], [[3]], [[1, 2]], [[0, 1, 2, 3]]])('of operations %j frees their key once', async (aborted) => {
        const controllers = Array.from({ length: 4 }, () => new AbortController());
        const store = failingOnce(fail);
        const abort = (): void => aborted.forEach((index) => controllers[index]?.abort('gone'));
        const batcher = new Batcher({
          execute: store.execute,
          orderingKey: () => 'k',
          maxSize: 4,
          ...optionsFor(abort),
        });
        const first = controllers.map(({ signal }, op) => batcher.add(op, { signal }));
        const all = Promise.allSettled([...first, batcher.add(4), batcher.add(5)]);
        await vi.runAllTimersAsync();
        const settled = await all;
        expect(settled.slice(4)).toEqual([4, 5].map((value) => ({ status: 'fulfilled', value })));
        const later = batcher.addMany([6, 7, 8, 9, 10]);
        await vi.runAllTimersAsync();
        expect((await later).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'fulfilled'));
        expect(store.most()).toBe(1);
        expect(store.batches.every((ops) => ops.length > 0)).toBe(true);
        expect(batcher.stats()).toMatchObject({ pending: 0, orderingKeys: 0, inFlight: 0, groups: 0 });
      });
    });
  });

  test('sends an operation again that was aborted and may have taken effect, when an earlier one of its key is', async () => {
    const controller = new AbortController();
    const store = failingOnce(() => {
      throw new Error('down');
    });
    const isRetryable = (_: unknown, op: number): boolean => {
      if (op === 0) controller.abort('gone');
      return true;
    };
    const retry = { isIdempotent: () => true, isRetryable };
    const batcher = new Batcher({ execute: store.execute, orderingKey: () => 'k', retry });
    const outcomes = Promise.allSettled([batcher.add(0), batcher.add(1, { signal: controller.signal })]);
    await vi.runAllTimersAsync();
    expect(await outcomes).toEqual([
      { status: 'fulfilled', value: 0 },
      { status: 'rejected', reason: 'gone' },
    ]);
    // Without 1, 0 would take effect last.
    expect(store.batches).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

test('an abort inside a getter of a result frees the key of the operation once', async () => {
  const controller = new AbortController();
  const batches: (readonly number[])[] = [];
  let reads = 0;
  const trap = {
    get then(): undefined {
      // The first time the answer is looked at, the second time the promise is resolved.
      if (++reads === 2) controller.abort('gone');
      return undefined;
    },
  };
  const batcher = new Batcher<number, unknown>({
    execute: (ops) => {
      batches.push(ops);
      return ops.map((op) => (op === 0 ? trap : op));
    },
    orderingKey: () => 'k',
    maxSize: 2,
  });
  const all = Promise.allSettled(
    [0, 1, 2, 3].map((op) => batcher.add(op, { signal: op === 1 ? controller.signal : undefined })),
  );
  await vi.runAllTimersAsync();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(batches).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(batcher.stats()).toMatchObject({ pending: 0, orderingKeys: 0, succeeded: 3, withdrawn: 1 });
});
