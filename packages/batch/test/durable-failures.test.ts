import { describe, expect, test } from 'vitest';
import { type DeadLetter, DurableFailedError } from '../src/bullmq.ts';
import { byKey } from '../src/index.ts';
import { type Op, TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue();
const FAST = { baseDelay: 1, maxDelay: 2 } as const;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('failed operations', () => {
  test('are tried again by themselves, those that succeeded are not', async () => {
    const calls: number[][] = [];
    queue.worker(
      (ops, { attempt }) => {
        calls.push(ops.map(({ value }) => value));
        return ops.map(({ value }) => (value % 2 === 1 && attempt < 3 ? new Error('not yet') : value));
      },
      { partitions: 1, retry: FAST },
    );
    const batcher = queue.batcher<number>({ partitions: 1 });
    const results = await batcher.addMany([0, 1, 2, 3].map((value) => ({ value })));
    expect(results.map((result) => result.status === 'fulfilled' && result.value)).toEqual([0, 1, 2, 3]);
    expect(calls[0]).toEqual([0, 1, 2, 3]);
    expect(
      calls
        .slice(1)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual([1, 1, 3, 3]);
  });

  test('hold up later ones of their key, and no others', async () => {
    const done: string[] = [];
    const settled = Promise.withResolvers<void>();
    queue.worker(
      async (ops, { attempt }) => {
        const fails = (op: Op): boolean => op.key === 'a' && op.value === 0 && attempt < 3;
        if (ops.some((op) => op.key === 'a' && attempt === 3)) await settled.promise;
        return ops.map((op) => {
          if (fails(op)) return new Error('not yet');
          done.push(`${op.key}${op.value}`);
          if (op.key === 'b' && op.value === 1) settled.resolve();
          return op.value;
        });
      },
      { partitions: 1, retry: { baseDelay: 50, maxDelay: 50 } },
    );
    const ops = ['a', 'b'].flatMap((key) => [0, 1].map((value) => ({ key, value })));
    await queue.batcher({ partitions: 1 }).addMany(ops);
    expect(done.filter((each) => each.startsWith('a'))).toEqual(['a0', 'a1']);
    expect(done.slice(0, 2)).toEqual(['b0', 'b1']);
  });

  test('do not hold up other keys of later jobs, however long they wait', async () => {
    const done: string[] = [];
    let broken = true;
    queue.worker(
      (ops) =>
        ops.map(({ key = '', value }) => {
          if (key === 'a' && broken) return new Error('not yet');
          done.push(`${key}${value}`);
          return value;
        }),
      { partitions: 1, maxSize: 2, retry: { attempts: 1000, baseDelay: 50, maxDelay: 50 } },
    );
    const batcher = queue.batcher({ partitions: 1, maxSize: 1 });
    const first = batcher.addMany([0, 1, 2].map((value) => ({ key: 'a', value })));
    await batcher.flush();
    // More of them than a turn takes up at once, and one after the other.
    for (let value = 0; value < 40; value++) await batcher.add({ key: `b${value % 3}`, value });
    const more = batcher.addMany(Array.from({ length: 200 }, (_, value) => ({ key: `c${value}`, value })));
    await more;
    expect(done).toHaveLength(240);
    broken = false;
    await first;
    expect(done.slice(240)).toEqual(['a0', 'a1', 'a2']);
    await until(async () => (await batcher.stats()).active === 0);
    expect(await batcher.stats()).toMatchObject({ waiting: 0, succeeded: 243 });
  });

  test('hold up those of later jobs, and those behind on other workers too', async () => {
    const done: number[] = [];
    const execute = async (
      ops: readonly Op[],
      { attempt }: { readonly attempt: number },
    ): Promise<(number | Error)[]> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return ops.map(({ value }) => {
        if (value % 10 === 0 && attempt < 4) return new Error('not yet');
        done.push(value);
        return value;
      });
    };
    const options = { partitions: 1, maxSize: 3, retry: { ...FAST, attempts: 4 } };
    for (let index = 0; index < 3; index++) queue.worker(execute, options);
    const batcher = queue.batcher({ partitions: 1, maxSize: 1 });
    await batcher.addMany(Array.from({ length: 60 }, (_, value) => ({ key: 'a', value })));
    expect(done).toEqual(Array.from({ length: 60 }, (_, value) => value));
  });

  test('become dead letters that tell what happened, and their callers are told', async () => {
    queue.worker((ops) => ops.map(() => Object.assign(new RangeError('too much'), { code: 'E_MUCH' })), {
      retry: FAST,
    });
    const batcher = queue.batcher();
    const before = Date.now();
    const failed = batcher.add({ key: 'a', value: 1 }, { idempotencyKey: 'one' });
    await expect(failed).rejects.toThrow(DurableFailedError);
    await expect(failed).rejects.toMatchObject({
      code: 'PERF_BATCH_DURABLE_FAILED',
      key: 'one',
      attempts: 3,
      cause: { name: 'RangeError', message: 'too much', code: 'E_MUCH' },
    });
    const [letter, ...more] = await all<DeadLetter<Op>>(batcher.deadLetters());
    expect(more).toEqual([]);
    expect(letter).toMatchObject({
      key: 'one',
      op: { key: 'a', value: 1 },
      orderingKey: 'a',
      attempts: 3,
      error: { name: 'RangeError', message: 'too much', code: 'E_MUCH' },
    });
    expect(letter?.failedAt.getTime()).toBeGreaterThanOrEqual(before);
    await expect(batcher.add({ key: 'a', value: 1 }, { idempotencyKey: 'one' })).rejects.toThrow('too much');
    expect(await batcher.stats()).toMatchObject({ failed: 1, deadLetters: 1, succeeded: 0 });
  });

  test('that are not to be tried again are not', async () => {
    let calls = 0;
    queue.worker((ops) => ops.map(() => new Error(`call ${++calls}`)), {
      retry: {
        isRetryable: (error) => {
          if (calls === 2) throw new Error('cannot tell');
          return !(error instanceof Error);
        },
      },
    });
    const batcher = queue.batcher();
    await expect(batcher.add({ value: 1 })).rejects.toMatchObject({ attempts: 1 });
    await expect(batcher.add({ value: 2 })).rejects.toMatchObject({ attempts: 1 });
    expect(calls).toBe(2);
  });

  test('wait as long as the store asks, and are not tried again when it says so', async () => {
    const times: number[] = [];
    queue.worker(
      (ops) =>
        ops.map(({ value }) => {
          if (value === 1) return Object.assign(new Error('gone'), { status: 404 });
          times.push(performance.now());
          return times.length === 1 ? Object.assign(new Error('busy'), { retryAfter: 60 }) : value;
        }),
      { partitions: 1, retry: FAST },
    );
    const batcher = queue.batcher({ partitions: 1 });
    await expect(batcher.add({ value: 1 })).rejects.toMatchObject({ attempts: 1, cause: { message: 'gone' } });
    expect(await batcher.add({ value: 2 })).toBe(2);
    // Timers may be early by a fraction of a millisecond.
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(58);
  });

  test('adapters for other shapes of answers go here too', async () => {
    const execute = byKey({
      execute: async (ops: readonly Op[]) => new Map(ops.map(({ value }) => [value, value * 2])),
      keyOf: (op: Op) => op.value,
    });
    queue.worker(execute);
    expect(await queue.batcher().add({ value: 2 })).toBe(4);
  });

  test('of a batch that fails as a whole are only those to blame', async () => {
    let calls = 0;
    queue.worker(
      (ops) => {
        calls++;
        if (ops.some(({ value }) => value === 7 || value === 42)) throw new Error('cannot take that');
        return ops.map(({ value }) => value);
      },
      { partitions: 1, retry: { ...FAST, attempts: 2 } },
    );
    const batcher = queue.batcher({ partitions: 1 });
    const results = await batcher.addMany(Array.from({ length: 100 }, (_, value) => ({ value })));
    const failed = results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    expect(failed).toEqual([7, 42]);
    // 2 attempts, then two ways down of up to 7 halvings each, with the other half besides.
    expect(calls).toBeLessThanOrEqual(2 + 4 * 7);
  });

  test.each<[string, (ops: readonly Op[]) => unknown]>([
    ['too few results', () => []],
    ['too many', (ops) => [...ops, 1]],
    ['no array', () => 'done'],
    ['nothing', () => undefined],
    ['a hole', (ops) => Object.assign([], { length: ops.length })],
    ['a promise in the array', (ops) => ops.map(() => Promise.reject(new Error('unseen')))],
    [
      'an array that cannot be read',
      (ops) =>
        new Proxy(
          ops.map(() => 1),
          {
            has: () => {
              throw new Error('no');
            },
            get: (array, key) => (key === 'length' ? array.length : undefined),
          },
        ),
    ],
  ])('%s is an answer that fails its operations at once', async (_, answer) => {
    let calls = 0;
    queue.worker((ops) => {
      calls++;
      return answer(ops) as number[];
    });
    await expect(queue.batcher().add({ value: 1 })).rejects.toMatchObject({ cause: { code: 'PERF_BATCH_RESULT' } });
    expect(calls).toBe(1);
  });

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a string', 'no'],
    ['an object without a prototype', Object.create(null)],
    [
      'an error that cannot be read',
      new Proxy(new Error('x'), {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('%s can be thrown', async (_, thrown) => {
    queue.worker(
      () => {
        throw thrown;
      },
      { retry: { attempts: 1 } },
    );
    await expect(queue.batcher().add({ value: 1 })).rejects.toThrow(DurableFailedError);
  });

  test('take a call that never answers for failed when its time is up', async () => {
    const reasons: unknown[] = [];
    queue.worker(
      (_, { signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        return new Promise<number[]>(() => {});
      },
      { timeout: 20, retry: { attempts: 1 } },
    );
    await expect(queue.batcher().add({ value: 1 })).rejects.toMatchObject({ cause: { code: 'PERF_BATCH_TIMEOUT' } });
    expect(reasons).toMatchObject([{ code: 'PERF_BATCH_TIMEOUT' }]);
  });

  test('with a group that cannot be told fail by themselves', async () => {
    queue.worker((ops) => ops.map(({ value }) => value), {
      partitions: 1,
      groupBy: ({ value }) => {
        if (value === 1) throw new Error('which group?');
        return 'all';
      },
    });
    const results = await queue.batcher({ partitions: 1 }).addMany([0, 1, 2].map((value) => ({ value })));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('with maxPerKey above 1, one that a later one of its key has overtaken is not tried again', async () => {
    const done: number[] = [];
    queue.worker(
      (ops, { attempt }) =>
        ops.map(({ value }) => {
          if (value === 0 && attempt === 1) return new Error('not yet');
          done.push(value);
          return value;
        }),
      { partitions: 1, maxPerKey: 10, retry: FAST },
    );
    const results = await queue.batcher({ partitions: 1 }).addMany([0, 1].map((value) => ({ key: 'a', value })));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(done).toEqual([1]);
  });
});
