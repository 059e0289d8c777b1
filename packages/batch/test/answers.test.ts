import { isPerfError } from '@perf/core';
import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { echo, useFakeTime } from './fake-time.ts';
import { Recorder, watch } from './recorder.ts';

useFakeTime();

describe('what execute answers', () => {
  const facts = {
    code: 'PERF_BATCH_RESULT',
    name: 'BatchResultError',
    group: 'default',
    size: 3,
    attempt: 1,
    outcomeUnknown: true,
  };

  test.each<[string, () => unknown, RegExp]>([
    ['too few results', () => [1, 2], /must return 3 results, got 2/],
    ['too many results', () => [1, 2, 3, 4], /must return 3 results, got 4/],
    ['nothing', () => undefined, /must return an array of 3 results, got undefined/],
    ['null', () => null, /got null/],
    ['a Map', () => new Map(), /got an object \(\[object Map\]\)/],
    ['an array-like object', () => ({ length: 3, 0: 1, 1: 2, 2: 3 }), /got an object/],
    ['a string', () => 'abc', /got a string/],
  ])('%s: every operation rejects, later batches do not care', async (_, answer, message) => {
    let first = true;
    const batcher = new Batcher<number, number>({
      execute: async (ops) => {
        if (!first) return ops;
        first = false;
        return answer() as number[];
      },
    });
    const outcomes = await batcher.addMany([1, 2, 3]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { ...facts, message: expect.stringMatching(message) },
      });
    }
    expect(await batcher.add(4)).toBe(4);
  });

  test('a hole or a promise in the results rejects that operation only', async () => {
    const late = Promise.reject(new Error('late'));
    const results: unknown[] = ['one'];
    results.length = 3;
    results[2] = late;
    const batcher = new Batcher<number, unknown>({ execute: async () => results });
    expect(await batcher.addMany([1, 2, 3])).toEqual([
      { status: 'fulfilled', value: 'one' },
      {
        status: 'rejected',
        reason: expect.objectContaining({ ...facts, message: expect.stringContaining('left out result 1') as string }),
      },
      {
        status: 'rejected',
        reason: expect.objectContaining({
          ...facts,
          message: expect.stringContaining('a promise as result 2') as string,
        }),
      },
    ]);
  });

  test('an explicit undefined, null or false is a result', async () => {
    const batcher = new Batcher<number, unknown>({ execute: async () => [undefined, null, false] });
    expect((await batcher.addMany([1, 2, 3])).map((outcome) => outcome.status)).toEqual(Array(3).fill('fulfilled'));
  });

  test('an Error rejects its operation with that very error, whatever realm it is of', async () => {
    const { runInNewContext } = await import('node:vm');
    const own = new RangeError('own');
    const foreign = runInNewContext('new TypeError("foreign")') as Error;
    const batcher = new Batcher<number, number>({ execute: async () => [own, 2, foreign] });
    const outcomes = await batcher.addMany([1, 2, 3]);
    expect(outcomes[0]).toEqual({ status: 'rejected', reason: own });
    expect((outcomes[2] as PromiseRejectedResult).reason).toBe(foreign);
  });

  test('an array without a promise around it will do', async () => {
    const batcher = new Batcher({ execute: (ops: readonly number[]) => ops });
    expect(await batcher.add(1)).toBe(1);
  });

  test.each<[string, () => never, unknown]>([
    ['throws', () => raise(new Error('sync')), new Error('sync')],
    ['throws nothing', () => raise(undefined), undefined],
    ['throws what cannot be printed', () => raise(Object.create(null)), Object.create(null)],
  ])('a function that %s fails its batch with an unknown outcome', async (_, execute, cause) => {
    const batcher = new Batcher<number, number>({ execute, name: 'orders', groupBy: () => 'write' });
    const [outcome] = await batcher.addMany([1, 2]);
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'PERF_BATCH_FAILED',
        name: 'BatchFailedError',
        group: 'write',
        size: 2,
        attempt: 1,
        outcomeUnknown: true,
      },
    });
    expect(((outcome as PromiseRejectedResult).reason as Error).cause).toEqual(cause);
  });

  function raise(error: unknown): never {
    throw error;
  }

  test('a rejection fails its batch, with what it rejected with as the cause', async () => {
    const cause = new Error('connection lost');
    const batcher = new Batcher<number, number>({ execute: () => Promise.reject(cause) });
    const error: unknown = await batcher.add(1).catch((reason: unknown) => reason);
    expect(isPerfError(error, 'PERF_BATCH_FAILED')).toBe(true);
    expect(error).toMatchObject({ cause, message: expect.stringContaining('connection lost') as string });
  });

  test('a function that sorts what it was given fails loudly rather than mixing results up', async () => {
    const batcher = new Batcher<number, number>({ execute: async (ops) => (ops as number[]).sort((a, b) => a - b) });
    expect(await batcher.addMany([3, 1, 2])).toEqual(
      Array(3).fill({ status: 'rejected', reason: expect.objectContaining({ code: 'PERF_BATCH_FAILED' }) as unknown }),
    );
  });

  test('nothing at all, in time: every operation rejects, the signal aborts and the slot is free', async () => {
    const signals: AbortSignal[] = [];
    let hang = true;
    const batcher = new Batcher<number, number>({
      timeout: 50,
      concurrency: 1,
      execute: (ops, { signal }) => {
        signals.push(signal);
        return hang ? new Promise(() => {}) : [...ops];
      },
    });
    const outcomes = [1, 2].map((op) => watch(batcher.add(op)));
    await vi.advanceTimersByTimeAsync(50);
    for (const { outcome } of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'PERF_BATCH_TIMEOUT', name: 'BatchTimeoutError', timeout: 50, size: 2, outcomeUnknown: true },
      });
    }
    expect(signals[0]?.aborted).toBe(true);
    hang = false;
    expect(await batcher.add(3)).toBe(3);
    expect(signals[1]?.aborted).toBe(false);
  });

  test.each(['answers', 'fails'] as const)('a function that %s after its time is not heard', async (how) => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, timeout: 50 });
    const late = watch(batcher.add(1));
    await vi.advanceTimersByTimeAsync(50);
    if (how === 'answers') await recorder.call(0).answer([1]);
    else await recorder.call(0).fail(new Error('late'));
    expect(late.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_TIMEOUT' } });
    expect(batcher.stats()).toMatchObject({ inFlight: 0, failed: 1, succeeded: 0 });
  });
});

describe('callbacks that throw', () => {
  test.each(['groupBy', 'orderingKey', 'dedupeKey', 'sizeOf'] as const)(
    '%s: only that operation rejects',
    async (name) => {
      const thrown = new Error(name);
      const execute = vi.fn(echo);
      const batcher = new Batcher<number, number>({
        execute,
        [name]: (op: number) => {
          if (op === 2) throw thrown;
          return name === 'sizeOf' ? 1 : `${op}`;
        },
      });
      const outcomes = await batcher.addMany([1, 2, 3]);
      expect(outcomes[0]).toEqual({ status: 'fulfilled', value: 10 });
      expect(outcomes[1]).toEqual({ status: 'rejected', reason: thrown });
      expect(outcomes[2]).toEqual({ status: 'fulfilled', value: 30 });
      expect(batcher.stats()).toMatchObject({ added: 2, pending: 0, groups: 0, orderingKeys: 0 });
    },
  );

  test.each([NaN, -1, Infinity, 'big', undefined])('sizeOf returning %s: only that operation rejects', async (size) => {
    const batcher = new Batcher<number, number>({
      execute: echo,
      sizeOf: (op) => (op === 2 ? (size as number) : 1),
      maxBytes: 9,
    });
    const outcomes = await batcher.addMany([1, 2, 3]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(String((outcomes[1] as PromiseRejectedResult).reason)).toMatch(
      /^(Range|Type)Error: `sizeOf\(op\)` must be a number/,
    );
  });

  test('groupBy returning no string: that operation rejects', async () => {
    const batcher = new Batcher<number, number>({ execute: echo, groupBy: () => 7 as unknown as string });
    await expect(batcher.add(1)).rejects.toThrow('`groupBy(op)` must be a non-empty string, got 7');
  });
});
