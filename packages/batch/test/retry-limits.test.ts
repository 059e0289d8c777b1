import { beforeEach, expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions, type RetryOptions, retryAfterOf } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

function setUp(retry: RetryOptions<number>, more: Partial<BatcherOptions<number, number>> = {}) {
  const recorder = new Recorder<number>();
  const batcher = new Batcher<number, number>({
    execute: recorder.execute,
    retry: { baseDelay: 100, ...retry },
    ...more,
  });
  return { recorder, batcher };
}

const failed = (facts: object = {}): Error => Object.assign(new Error('failed'), facts);

test('when the budget is used up, failures go to their callers at once', async () => {
  const { recorder, batcher } = setUp({ budget: { ratio: 0, burst: 2 } });
  const outcomes = [1, 2, 3, 4].map((op) => watch(batcher.add(op)));
  await settle();
  await recorder.call(0).answer([1, failed(), failed(), failed()]);
  expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual(['fulfilled', 'rejected', undefined, undefined]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual([3, 4]);
  await recorder.call(1).answer([failed(), 4]);
  expect(recorder.calls).toHaveLength(2);
  expect(batcher.stats()).toMatchObject({ succeeded: 2, failed: 2, retried: 2, denied: 2 });
});

test('operations sent for the first time refill it, those sent again do not', async () => {
  const { recorder, batcher } = setUp({ attempts: 2, budget: { ratio: 0.5, burst: 1 } });
  const outcome = watch(batcher.addMany([1, 2]));
  await settle();
  await recorder.call(0).answer([failed(), failed()]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual([2]);
  await recorder.call(1).answer([2]);
  expect(outcome.outcome?.status).toBe('fulfilled');
  const next = watch(batcher.add(3));
  await settle();
  await recorder.call(2).answer([failed()]);
  expect(next.outcome?.status).toBe('rejected');
  void batcher.add(4);
  await settle();
  await recorder.call(3).answer([failed()]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(4).ops).toEqual([4]);
  await recorder.call(4).answer([4]);
});

test('over a long outage the store gets a tenth more than without retries, not twice as much', async () => {
  let sent = 0;
  const batcher = new Batcher<number, number>({
    execute: async (ops) => {
      sent += ops.length;
      return ops.map(() => failed());
    },
    maxSize: 100,
    retry: { budget: { ratio: 0.1, burst: 100 } },
  });
  for (let round = 0; round < 50; round++) {
    const outcomes = batcher.addMany(Array.from({ length: 1000 }, (_, op) => op));
    await vi.runAllTimersAsync();
    await outcomes;
  }
  expect(sent).toBeLessThanOrEqual(50_000 * 1.1 + 100);
});

test('the wait is at least what the error asks for, with jitter on top', async () => {
  const { recorder, batcher } = setUp({});
  void batcher.addMany([1, 2, 3]);
  await settle();
  await recorder.call(0).answer([failed({ retryAfter: 2000 }), failed({ retryAfter: 3000 }), failed()]);
  await vi.advanceTimersByTimeAsync(3049);
  expect(recorder.calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(recorder.call(1).ops).toEqual([1, 2, 3]);
  await recorder.call(1).answer([1, 2, 3]);
});

test('a store that asks for longer than maxDelay gets no further attempt', async () => {
  const { recorder, batcher } = setUp({ maxDelay: 5000 });
  const outcome = watch(batcher.add(1));
  const other = watch(batcher.add(2));
  await settle();
  await recorder.call(0).answer([failed({ retryAfter: 5001 }), failed({ retryAfter: 5000 })]);
  expect(outcome.outcome?.status).toBe('rejected');
  await vi.advanceTimersByTimeAsync(5000);
  expect(recorder.call(1).ops).toEqual([2]);
  await recorder.call(1).answer([2]);
  expect(other.outcome?.status).toBe('fulfilled');
});

test('retryAfter reads what the error of the batch says, as from HTTP headers', async () => {
  const { recorder, batcher } = setUp({
    isIdempotent: () => true,
    retryAfter: (error) => retryAfterOf((error as { headers: Headers }).headers),
  });
  void batcher.add(1);
  await settle();
  await recorder.call(0).fail(failed({ headers: new Headers({ 'retry-after': '7' }) }));
  await vi.advanceTimersByTimeAsync(7049);
  expect(recorder.calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(recorder.calls).toHaveLength(2);
  await recorder.call(1).answer([1]);
});

test.each<[string, () => unknown]>([
  ['undefined', () => undefined],
  ['NaN', () => NaN],
  ['a negative number', () => -5],
  ['a string', () => '2000'],
  [
    'a throw',
    () => {
      throw new Error('cannot tell');
    },
  ],
])('%s of retryAfter says nothing', async (_, retryAfter) => {
  const { recorder, batcher } = setUp({ retryAfter: retryAfter as () => number });
  void batcher.add(1);
  await settle();
  await recorder.call(0).answer([failed({ retryAfter: 9999 })]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.calls).toHaveLength(2);
  await recorder.call(1).answer([1]);
});

test.each<[object, boolean]>([
  [{}, true],
  [{ retryable: true, status: 400 }, true],
  [{ retryable: false }, false],
  [{ status: 400 }, false],
  [{ statusCode: 404 }, false],
  [{ status: 408 }, true],
  [{ status: 425 }, true],
  [{ status: 429 }, true],
  [{ status: 500 }, true],
  [{ status: '400' }, true],
])('by default an error with %o is retried: %s', async (facts, retried) => {
  const { recorder, batcher } = setUp({ attempts: 2 });
  const outcome = watch(batcher.add(1));
  await settle();
  await recorder.call(0).answer([failed(facts)]);
  expect(outcome.outcome === undefined).toBe(retried);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.calls).toHaveLength(retried ? 2 : 1);
  if (retried) await recorder.call(1).answer([1]);
});

test('attempts are counted for each operation', async () => {
  const { recorder, batcher } = setUp({ attempts: 3 });
  const outcomes = [1, 2, 3].map((op) => watch(batcher.add(op)));
  await settle();
  await recorder.call(0).answer([1, failed(), failed()]);
  await vi.advanceTimersByTimeAsync(50);
  await recorder.call(1).answer([failed(), 3]);
  void batcher.add(4);
  await settle();
  // Not with operations of another attempt.
  expect(recorder.call(2).ops).toEqual([4]);
  await recorder.call(2).answer([4]);
  await vi.advanceTimersByTimeAsync(100);
  expect(recorder.call(3).ops).toEqual([2]);
  await recorder.call(3).answer([failed()]);
  expect(recorder.calls.map(({ context }) => context.attempt)).toEqual([1, 2, 1, 3]);
  expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('a promise is no answer of isIdempotent or atomic: nothing is sent twice', async () => {
  let calls = 0;
  const later = (async () => true) as unknown as () => boolean;
  const batcher = new Batcher<number, number>({
    execute: () => {
      calls++;
      throw new Error('down');
    },
    atomic: later,
    bisect: later,
    retry: { isIdempotent: later },
  });
  const outcomes = batcher.addMany([1, 2]);
  await vi.runAllTimersAsync();
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { outcomeUnknown: true } });
  expect(calls).toBe(1);
});
