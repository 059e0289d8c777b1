import { beforeEach, expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions, type RetryOptions } from '../src/index.ts';
import { fullJitter } from '../src/retry-policy.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

function setUp(retry: RetryOptions<string>, more: Partial<BatcherOptions<string, string>> = {}) {
  const recorder = new Recorder<string>();
  const batcher = new Batcher<string, string>({
    execute: recorder.execute,
    // 'a1' and 'a2' are of the key 'a'; '1' is of none.
    orderingKey: (op) => /[a-z]/.exec(op)?.[0],
    retry: { baseDelay: 100, ...retry },
    ...more,
  });
  return { recorder, batcher };
}

const failed = (text = 'failed'): Error => new Error(text);

test('only failed operations are sent again, in order, and the results come in submission order', async () => {
  const { recorder, batcher } = setUp({});
  const ops = Array.from({ length: 100 }, (_, index) => `${index}`);
  const outcomes = batcher.addMany(ops);
  await settle();
  await recorder.call(0).answer(ops.map((op) => (op === '7' || op === '42' ? failed() : `done ${op}`)));
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual(['7', '42']);
  expect(recorder.calls.map(({ context }) => context.attempt)).toEqual([1, 2]);
  await recorder.call(1).answer(['done 7', 'done 42']);
  expect(await outcomes).toEqual(ops.map((op) => ({ status: 'fulfilled', value: `done ${op}` })));
  expect(batcher.stats()).toMatchObject({ succeeded: 100, failed: 0, retried: 2, batches: 2, pending: 0 });
});

test('the wait is anything up to a bound that doubles, and never more than maxDelay', () => {
  const bounds = { baseDelay: 100, maxDelay: 1000 };
  expect([1, 2, 3, 4, 5, 2000].map((attempt) => fullJitter(attempt, bounds, 1))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(fullJitter(1, bounds, 0)).toBe(0);
});

test('the slot is free during the wait', async () => {
  const { recorder, batcher } = setUp({}, { concurrency: 1 });
  void batcher.add('1');
  await settle();
  await recorder.call(0).answer([failed()]);
  void batcher.add('2');
  await settle();
  expect(recorder.batches).toEqual([['1'], ['2']]);
  await vi.advanceTimersByTimeAsync(50);
  // No slot is free yet.
  expect(recorder.calls).toHaveLength(2);
  await recorder.call(1).answer(['two']);
  expect(recorder.batches).toEqual([['1'], ['2'], ['1']]);
  await recorder.call(2).answer(['one']);
});

test('an operation fails with the error of its last attempt', async () => {
  const { recorder, batcher } = setUp({ attempts: 2 });
  const outcome = watch(batcher.add('1'));
  await settle();
  await recorder.call(0).answer([failed('first')]);
  await vi.advanceTimersByTimeAsync(50);
  await recorder.call(1).answer([failed('second')]);
  expect(outcome.outcome).toEqual({ status: 'rejected', reason: failed('second') });
  expect(recorder.calls).toHaveLength(2);
});

test('isRetryable decides, seeing the error of the operation or of the batch; a throw is a no', async () => {
  const seen: unknown[] = [];
  const isRetryable = (error: unknown, op: string): boolean => {
    seen.push(error);
    if (op === '3') throw new Error('cannot tell');
    return op === '1';
  };
  const { recorder, batcher } = setUp({ isIdempotent: () => true, isRetryable }, { bisect: false });
  const outcomes = batcher.addMany(['1', '2', '3']);
  await settle();
  const cause = failed('connection lost');
  await recorder.call(0).fail(cause);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual(['1']);
  await recorder.call(1).answer(['one']);
  expect(await outcomes).toMatchObject([
    { status: 'fulfilled', value: 'one' },
    { status: 'rejected', reason: { code: 'PERF_BATCH_FAILED', cause } },
    { status: 'rejected', reason: { code: 'PERF_BATCH_FAILED', cause } },
  ]);
  expect(seen).toEqual([cause, cause, cause]);
});

test('after an unknown outcome only idempotent operations are sent again', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: (op) => op === '1' });
  const outcomes = batcher.addMany(['1', '2']);
  await settle();
  await recorder.call(0).fail(failed('applied, then lost'));
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual(['1']);
  await recorder.call(1).answer(['one']);
  expect(await outcomes).toMatchObject([
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'PERF_BATCH_FAILED', outcomeUnknown: true } },
  ]);
});

test('a timeout is an unknown outcome', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: (op) => op === '1' }, { timeout: 1000 });
  const outcomes = batcher.addMany(['1', '2']);
  await vi.advanceTimersByTimeAsync(1050);
  expect(recorder.batches).toEqual([['1', '2'], ['1']]);
  await recorder.call(1).answer(['one']);
  expect(await outcomes).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'PERF_BATCH_TIMEOUT' } }]);
  await recorder.call(0).answer(['late', 'late']);
});

test('nonsense from execute is never tried again', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: () => true });
  const outcome = watch(batcher.add('1'));
  await settle();
  await recorder.call(0).answer([]);
  expect(outcome.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_RESULT' } });
});

test('an operation that waits to be sent again holds up its key, and no other', async () => {
  const { recorder, batcher } = setUp({});
  void batcher.addMany(['a1', 'b1']);
  await settle();
  await recorder.call(0).answer([failed(), 'b']);
  void batcher.addMany(['a2', 'b2']);
  await settle();
  expect(recorder.batches.slice(1)).toEqual([['b2']]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.batches.slice(2)).toEqual([['a1']]);
  await recorder.call(2).answer(['a']);
  expect(recorder.batches.slice(3)).toEqual([['a2']]);
  await recorder.call(3).answer(['a']);
  await recorder.call(1).answer(['b']);
});

test('an operation is not sent again once a later one of its key, in the same batch, took effect', async () => {
  const { recorder, batcher } = setUp({});
  const outcomes = batcher.addMany(['a1', 'a2', 'b1', 'b2']);
  await settle();
  await recorder.call(0).answer([failed('a1'), 'a2', failed('b1'), failed('b2')]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.call(1).ops).toEqual(['b1', 'b2']);
  await recorder.call(1).answer(['b1', 'b2']);
  expect((await outcomes)[0]).toEqual({ status: 'rejected', reason: failed('a1') });
});

test('nor once a later one may have taken effect: in this attempt or in one before', async () => {
  const { recorder, batcher } = setUp({
    isIdempotent: (op) => op !== 'a2',
    isRetryable: (error) => error !== permanent,
  });
  const permanent = failed('permanent');
  const outcomes = batcher.addMany(['a1', 'a2', 'b1', 'b2']);
  await settle();
  await recorder.call(0).fail(failed());
  await vi.advanceTimersByTimeAsync(50);
  // a2 may not be repeated, so a1 must not come after it.
  expect(recorder.call(1).ops).toEqual(['b1', 'b2']);
  // b2 has failed now, but may have taken effect the first time.
  await recorder.call(1).answer([failed('transient'), permanent]);
  expect((await outcomes).map((outcome) => outcome.status)).toEqual(Array(4).fill('rejected'));
  expect(recorder.calls).toHaveLength(2);
});

test('an operation aborted while it waits to be sent again is left out, and frees its key', async () => {
  const { recorder, batcher } = setUp({});
  const controller = new AbortController();
  const aborted = watch(batcher.add('a1', { signal: controller.signal }));
  void batcher.add('b1');
  await settle();
  await recorder.call(0).answer([failed(), failed()]);
  void batcher.add('a2');
  controller.abort('enough');
  await settle();
  expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
  expect(recorder.batches.slice(1)).toEqual([['a2']]);
  await vi.advanceTimersByTimeAsync(50);
  expect(recorder.batches.slice(2)).toEqual([['b1']]);
  for (const call of recorder.calls) await call.answer(call.ops);
});

test('aborting all that wait to be sent again leaves neither batch nor timer', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: () => true });
  const controller = new AbortController();
  const outcomes = batcher.addMany(['a1', 'a2', 'b1'], { signal: controller.signal });
  await settle();
  await recorder.call(0).fail(failed());
  expect(vi.getTimerCount()).toBe(1);
  controller.abort('enough');
  expect(vi.getTimerCount()).toBe(0);
  expect((await outcomes).map((outcome) => outcome.status)).toEqual(Array(3).fill('rejected'));
  expect(batcher.stats()).toMatchObject({ pending: 0, groups: 0, orderingKeys: 0 });
  await batcher.drain();
});

test('so does aborting them while they wait for a slot', async () => {
  const { recorder, batcher } = setUp({}, { concurrency: 1 });
  const controller = new AbortController();
  const aborted = watch(batcher.add('a1', { signal: controller.signal }));
  await settle();
  await recorder.call(0).answer([failed()]);
  void batcher.add('b1');
  await vi.advanceTimersByTimeAsync(50);
  controller.abort();
  await settle();
  expect(aborted.outcome?.status).toBe('rejected');
  await recorder.call(1).answer(['b1']);
  expect(recorder.batches).toEqual([['a1'], ['b1']]);
  expect(batcher.stats()).toMatchObject({ pending: 0, groups: 0, orderingKeys: 0 });
});

test('an aborted operation that may have taken effect is sent again after an earlier one of its key', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: () => true });
  const controller = new AbortController();
  const first = batcher.add('a1');
  const aborted = watch(batcher.add('a2', { signal: controller.signal }));
  await settle();
  await recorder.call(0).fail(failed('after both took effect'));
  controller.abort('enough');
  await settle();
  expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
  await vi.advanceTimersByTimeAsync(50);
  // Without a2, a1 would take effect last.
  expect(recorder.call(1).ops).toEqual(['a1', 'a2']);
  await recorder.call(1).answer(['one', 'two']);
  expect(await first).toBe('one');
  expect(batcher.stats()).toMatchObject({ succeeded: 1, withdrawn: 1, pending: 0, orderingKeys: 0 });
});

test('unless that is aborted as well', async () => {
  const { recorder, batcher } = setUp({ isIdempotent: () => true });
  const [one, two] = [new AbortController(), new AbortController()];
  const outcomes = [watch(batcher.add('a1', { signal: one.signal })), watch(batcher.add('a2', { signal: two.signal }))];
  await settle();
  await recorder.call(0).fail(failed());
  two.abort('two');
  one.abort('one');
  await vi.advanceTimersByTimeAsync(1000);
  expect(recorder.calls).toHaveLength(1);
  expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual(['rejected', 'rejected']);
  expect(batcher.stats()).toMatchObject({ pending: 0, groups: 0, orderingKeys: 0 });
});

test('an abort inside isRetryable is heeded', async () => {
  const controller = new AbortController();
  const { recorder, batcher } = setUp({
    isRetryable: () => {
      controller.abort('enough');
      return true;
    },
  });
  const aborted = watch(batcher.add('a1', { signal: controller.signal }));
  await settle();
  await recorder.call(0).answer([failed()]);
  expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
  expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, orderingKeys: 0 });
});

test('flush and close wait for operations that are sent again', async () => {
  const { recorder, batcher } = setUp({});
  void batcher.add('1');
  await settle();
  const flushed = watch(batcher.flush());
  const closed = watch(batcher.close());
  await recorder.call(0).answer([failed()]);
  expect([flushed.outcome, closed.outcome]).toEqual([undefined, undefined]);
  await vi.advanceTimersByTimeAsync(50);
  await recorder.call(1).answer(['one']);
  expect([flushed.outcome?.status, closed.outcome?.status]).toEqual(['fulfilled', 'fulfilled']);
});
