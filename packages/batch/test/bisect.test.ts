import { isPerfError } from '@perf/core';
import { expect, test, vi } from 'vitest';
import { type BatchContext, Batcher, type BatcherOptions } from '../src/index.ts';
import { Recorder, settle, watch } from './recorder.ts';
import { useFakeTime } from './fake-time.ts';

useFakeTime();

const invalid = (op: number): Error => Object.assign(new Error(`operation ${op} is invalid`), { status: 400 });

/** Refuses a whole batch for the first bad operation in it. */
function pickyStore(isBad: (op: number) => boolean) {
  const calls: (readonly number[])[] = [];
  let running = 0;
  let most = 0;
  const execute = async (ops: readonly number[]): Promise<readonly number[]> => {
    calls.push(ops);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    const bad = ops.find(isBad);
    if (bad !== undefined) throw invalid(bad);
    return ops;
  };
  return { execute, calls, most: () => most };
}

function setUp(execute: BatcherOptions<number, number>['execute'], more: Partial<BatcherOptions<number, number>> = {}) {
  return new Batcher<number, number>({ execute, maxSize: 1024, retry: { isIdempotent: () => true }, ...more });
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function statuses(outcomes: Promise<PromiseSettledResult<number>[]>): Promise<unknown[]> {
  await vi.runAllTimersAsync();
  return (await outcomes).flatMap((outcome, op) =>
    outcome.status === 'rejected' ? [[op, outcome.reason as unknown]] : [],
  );
}

test('one poisonous operation of 1,024 rejects alone, with the error of the store, for 20 more calls one after the other', async () => {
  const { execute, calls, most } = pickyStore((op) => op === 700);
  const batcher = setUp(execute);
  expect(await statuses(batcher.addMany(numbers(1024)))).toEqual([[700, invalid(700)]]);
  expect(calls.length - 1).toBeLessThanOrEqual(2 * 10 + 2);
  expect(most()).toBe(1);
  expect(batcher.stats()).toMatchObject({ succeeded: 1023, failed: 1, parts: 20, retried: 0, pending: 0, inFlight: 0 });
});

test('so do two in different halves, for twice the calls', async () => {
  const { execute, calls } = pickyStore((op) => op === 3 || op === 1000);
  expect(await statuses(setUp(execute).addMany(numbers(1024)))).toEqual([
    [3, invalid(3)],
    [1000, invalid(1000)],
  ]);
  expect(calls.length - 1).toBeLessThanOrEqual(2 * 2 * 10);
});

test('where everything fails it gives up after 3 log2(n) calls, and all reject', async () => {
  const { execute, calls } = pickyStore(() => true);
  const rejected = await statuses(setUp(execute).addMany(numbers(1024)));
  expect(rejected).toHaveLength(1024);
  expect(calls.length - 1).toBeLessThanOrEqual(3 * 10 + 3);
});

test('several batches at once are searched within the concurrency', async () => {
  const { execute, most } = pickyStore((op) => op % 64 === 7);
  const batcher = setUp(execute, { maxSize: 64, concurrency: 3 });
  const rejected = await statuses(batcher.addMany(numbers(640)));
  expect(rejected.map((each) => (each as unknown[])[0])).toEqual(numbers(10).map((batch) => batch * 64 + 7));
  expect(most()).toBe(3);
});

test('each key keeps its order, across parts and for what was added meanwhile', async () => {
  const done: number[] = [];
  const { execute } = pickyStore((op) => op === 6);
  const batcher = setUp(
    async (ops) => {
      const results = await execute(ops);
      done.push(...ops);
      return results;
    },
    { orderingKey: (op) => op % 2, maxSize: 8 },
  );
  const outcomes = batcher.addMany(numbers(8));
  await vi.advanceTimersByTimeAsync(7);
  const later = batcher.addMany([100, 101]);
  expect(await statuses(outcomes)).toEqual([[6, invalid(6)]]);
  await later;
  expect(done.filter((op) => op % 2 === 0)).toEqual([0, 2, 4, 100]);
  expect(done.filter((op) => op % 2 === 1)).toEqual([1, 3, 5, 7, 101]);
});

test('other keys do not wait for the search', async () => {
  const recorder = new Recorder<string>();
  const batcher = new Batcher<string, string>({
    execute: recorder.execute,
    orderingKey: (op) => op[0],
    concurrency: 2,
    atomic: true,
    maxSize: 10,
  });
  const outcomes = batcher.addMany(['a1', 'b1', 'c1', 'd1']);
  await settle();
  await recorder.call(0).fail(new Error('no'));
  void batcher.addMany(['a2', 'e1']);
  await settle();
  expect(recorder.batches.slice(1)).toEqual([['a1', 'b1'], ['e1']]);
  for (let call = 1; call < recorder.calls.length; call++) await recorder.call(call).answer(recorder.call(call).ops);
  expect(recorder.batches.slice(3).map((ops) => ops.toSorted().join())).toEqual(
    expect.arrayContaining(['a2', 'c1,d1']) as string[],
  );
  expect((await outcomes).every(({ status }) => status === 'fulfilled')).toBe(true);
});

test('what may not be sent twice takes no part: it rejects at once, its outcome unknown', async () => {
  const { execute, calls } = pickyStore((op) => op === 5);
  const batcher = setUp(execute, { retry: { isIdempotent: (op) => op % 2 === 1 } });
  const outcomes = batcher.addMany(numbers(8));
  const rejected = await statuses(outcomes);
  expect(
    calls
      .slice(1)
      .flat()
      .every((op) => op % 2 === 1),
  ).toBe(true);
  expect(rejected.map((each) => (each as unknown[])[0])).toEqual([0, 2, 4, 5, 6]);
  expect(rejected[0]).toMatchObject([0, { code: 'PERF_BATCH_FAILED', outcomeUnknown: true, cause: invalid(5) }]);
  expect(rejected[3]).toEqual([5, invalid(5)]);
});

test('nothing takes part without leave: nothing is idempotent by default', async () => {
  const { execute, calls } = pickyStore((op) => op === 5);
  const rejected = await statuses(new Batcher({ execute }).addMany(numbers(8)));
  expect(rejected).toHaveLength(8);
  expect(calls).toHaveLength(1);
});

test('a batch too large for the store comes through in parts', async () => {
  const execute = async (ops: readonly number[]): Promise<readonly number[]> => {
    if (ops.length > 100) throw Object.assign(new Error('too large'), { status: 413 });
    return ops;
  };
  expect(await statuses(setUp(execute).addMany(numbers(1000)))).toEqual([]);
});

test('a failure that may pass is retried first, and halved when the attempts are used up', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { retry: { attempts: 2, isIdempotent: () => true } });
  const outcomes = batcher.addMany([1, 2]);
  await settle();
  await recorder.call(0).fail(new Error('lost'));
  await vi.runAllTimersAsync();
  expect(recorder.batches).toEqual([
    [1, 2],
    [1, 2],
  ]);
  await recorder.call(1).fail(new Error('lost again'));
  await recorder.call(2).answer([10]);
  await recorder.call(3).fail(new Error('still lost'));
  expect(recorder.batches.slice(2)).toEqual([[1], [2]]);
  expect(recorder.calls.map(({ context }) => context.attempt)).toEqual([1, 2, 3, 3]);
  expect(await outcomes).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'rejected', reason: new Error('still lost') },
  ]);
});

test('a part whose failure may pass is retried, and the next one waits for it', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute);
  const outcomes = batcher.addMany([1, 2, 3, 4]);
  await settle();
  await recorder.call(0).fail(invalid(4));
  await recorder.call(1).fail(new Error('lost'));
  expect(recorder.calls).toHaveLength(2);
  await vi.runAllTimersAsync();
  await recorder.call(2).answer([1, 2]);
  await recorder.call(3).answer([3, invalid(4)]);
  expect(recorder.batches).toEqual([
    [1, 2, 3, 4],
    [1, 2],
    [1, 2],
    [3, 4],
  ]);
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
});

test('a timeout is no reason to halve: the store is slow already', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { timeout: 50, retry: { attempts: 1, isIdempotent: () => true } });
  const outcomes = batcher.addMany([1, 2]);
  await vi.advanceTimersByTimeAsync(50);
  expect(await outcomes).toMatchObject([{ reason: { code: 'PERF_BATCH_TIMEOUT' } }, { reason: {} }]);
  expect(recorder.calls).toHaveLength(1);
});

test('a function decides what is halved, seeing what was thrown; a throw is a no', async () => {
  const seen: unknown[] = [];
  const bisect = (error: unknown): boolean => {
    seen.push(error);
    if (seen.length > 1) throw new Error('cannot tell');
    return true;
  };
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { bisect });
  const outcomes = batcher.addMany([1, 2, 3, 4]);
  await settle();
  await recorder.call(0).fail(invalid(1));
  await recorder.call(1).fail(invalid(2));
  await recorder.call(2).answer([3, 4]);
  expect(seen).toEqual([invalid(1), invalid(2)]);
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
});

test('bisect: false', async () => {
  const { execute, calls } = pickyStore((op) => op === 5);
  expect(await statuses(setUp(execute, { bisect: false }).addMany(numbers(8)))).toHaveLength(8);
  expect(calls).toHaveLength(1);
});

test('every part costs a token of the budget, and without one the rest fails at once', async () => {
  const { execute, calls } = pickyStore((op) => op === 0);
  const batcher = setUp(execute, { retry: { isIdempotent: () => true, budget: { ratio: 0, burst: 5 } } });
  const rejected = await statuses(batcher.addMany(numbers(1024)));
  // Two halvings; the third would need two tokens and finds one.
  expect(calls.map(({ length }) => length)).toEqual([1024, 512, 256, 256, 512]);
  expect(rejected).toHaveLength(256);
  expect(batcher.stats()).toMatchObject({ denied: 256, parts: 4 });
});

test('operations aborted during the search are not sent, and when all are it ends', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { atomic: true });
  const controllers = numbers(8).map(() => new AbortController());
  const outcomes = controllers.map(({ signal }, op) => watch(batcher.add(op, { signal })));
  await settle();
  await recorder.call(0).fail(invalid(1));
  for (const op of [4, 5, 6]) controllers[op]!.abort('enough');
  await recorder.call(1).answer([0, 1, 2, 3]);
  expect(recorder.batches.slice(1)).toEqual([[0, 1, 2, 3], [7]]);
  controllers[7]!.abort('enough');
  expect(recorder.call(2).context.signal.aborted).toBe(true);
  await recorder.call(2).fail(invalid(7));
  expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual([
    ...Array(4).fill('fulfilled'),
    ...Array(4).fill('rejected'),
  ]);
  expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, groups: 0, orderingKeys: 0 });
});

test('an aborted operation that may have taken effect is sent again after an earlier one of its key, and close waits for it', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { orderingKey: () => 'same' });
  const controller = new AbortController();
  const first = batcher.add(1);
  const second = watch(batcher.add(2, { signal: controller.signal }));
  await settle();
  await recorder.call(0).fail(invalid(2));
  controller.abort('enough');
  const closing = watch(batcher.close());
  await recorder.call(1).answer([1]);
  expect(await first).toBe(1);
  expect(second.outcome).toEqual({ status: 'rejected', reason: 'enough' });
  expect(recorder.batches).toEqual([[1, 2], [1], [2]]);
  expect(closing.outcome).toBeUndefined();
  await recorder.call(2).answer([2]);
  expect(closing.outcome).toEqual({ status: 'fulfilled', value: { unsent: [], unknown: [] } });
  expect(batcher.stats()).toMatchObject({ succeeded: 1, withdrawn: 1, orderingKeys: 0 });
});

test('an operation at fault whose store throws something that is no error rejects with a BatchFailedError', async () => {
  const execute = async (ops: readonly number[]): Promise<readonly number[]> => {
    // oxlint-disable-next-line no-throw-literal
    if (ops.includes(1)) throw 'no';
    return ops;
  };
  const rejected = await statuses(
    setUp(execute, { retry: { attempts: 1, isIdempotent: () => true } }).addMany(numbers(2)),
  );
  expect(rejected).toMatchObject([[1, { code: 'PERF_BATCH_FAILED', size: 1, cause: 'no' }]]);
});

test('close({ timeout }) during the search leaves nothing behind', async () => {
  const recorder = new Recorder<number>();
  const batcher = setUp(recorder.execute, { orderingKey: (op) => op % 4 });
  const outcomes = batcher.addMany(numbers(8));
  await settle();
  await recorder.call(0).fail(invalid(1));
  const later = batcher.addMany([8, 9]);
  await settle();
  const closing = batcher.close({ timeout: 10 });
  await vi.advanceTimersByTimeAsync(10);
  expect(await closing).toEqual({ unsent: [8, 9], unknown: numbers(8) });
  expect(
    (await outcomes).every((each) => each.status === 'rejected' && isPerfError(each.reason, 'PERF_BATCH_CLOSED')),
  ).toBe(true);
  await later;
  await recorder.call(1).answer(recorder.call(1).ops);
  expect(recorder.calls).toHaveLength(2);
  expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, groups: 0, orderingKeys: 0 });
});

test('a transaction that fails can be sent again whole, and no outcome is unknown', async () => {
  const contexts: BatchContext[] = [];
  const batcher = new Batcher<number, number>({
    execute: async (ops, context) => {
      contexts.push(context);
      if (contexts.length === 1) throw new Error('deadlock');
      if (ops.includes(2)) throw invalid(2);
      return ops;
    },
    atomic: true,
    retry: {},
  });
  const outcomes = batcher.addMany([1, 2, 3]);
  await vi.runAllTimersAsync();
  expect(await outcomes).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: invalid(2) },
    { status: 'fulfilled', value: 3 },
  ]);
});

test('a failed transaction that is not sent again says that nothing has taken effect', async () => {
  const batcher = new Batcher<number, number>({
    execute: () => Promise.reject(new Error('deadlock')),
    atomic: (error) => error instanceof Error && error.message === 'deadlock',
    bisect: false,
  });
  await expect(batcher.add(1)).rejects.toMatchObject({
    code: 'PERF_BATCH_FAILED',
    outcomeUnknown: false,
    message: 'a batch of 1 in group "default" (attempt 1) failed without any effect: deadlock',
  });
});

test.each([
  ['it says so of another failure', (error: unknown) => error === 'another'],
  [
    'it throws',
    () => {
      throw new Error('cannot tell');
    },
  ],
])('atomic may be a function; an outcome is unknown where %s', async (_, atomic) => {
  const batcher = new Batcher<number, number>({ execute: () => Promise.reject(new Error('lost')), atomic, retry: {} });
  const outcomes = batcher.addMany([1, 2]);
  await vi.runAllTimersAsync();
  expect(await outcomes).toMatchObject([{ reason: { outcomeUnknown: true } }, { reason: { outcomeUnknown: true } }]);
  expect(batcher.stats().batches).toBe(1);
});

test('the timeout of a transaction is an unknown outcome', async () => {
  const batcher = new Batcher<number, number>({
    execute: () => new Promise(() => {}),
    atomic: true,
    retry: {},
    timeout: 20,
  });
  const outcome = watch(batcher.add(1));
  await vi.advanceTimersByTimeAsync(20);
  expect(outcome.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_TIMEOUT', outcomeUnknown: true } });
});
