import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

const late = (timeout: number, outcomeUnknown: boolean): unknown =>
  expect.objectContaining({
    status: 'rejected',
    reason: expect.objectContaining({
      name: 'BatchDeadlineError',
      code: 'PERF_BATCH_DEADLINE',
      timeout,
      outcomeUnknown,
    }) as unknown,
  });

describe('a timeout of an operation', () => {
  test('that is up while it waits rejects it, and it is not sent', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    void batcher.add(1);
    await settle();
    const expired = watch(batcher.add(2, { timeout: 50 }));
    const patient = watch(batcher.add(3, { timeout: 51 }));
    await vi.advanceTimersByTimeAsync(50);
    expect(expired.outcome).toEqual(late(50, false));
    expect(String((expired.outcome as PromiseRejectedResult).reason)).toBe(
      'BatchDeadlineError: the operation did not settle within 50 ms: it was not sent',
    );
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [3]]);
    await recorder.call(1).answer([3]);
    expect(patient.outcome).toEqual({ status: 'fulfilled', value: 3 });
    expect(batcher.stats()).toMatchObject({ expired: 1, succeeded: 2, withdrawn: 0, pending: 0, groups: 0 });
  });

  test('that is up while it is executed rejects it with an unknown outcome, and frees its place only then', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, orderingKey: () => 'k' });
    const expired = watch(batcher.add(1, { timeout: 50 }));
    const other = watch(batcher.add(2, { timeout: 100 }));
    await settle();
    const { signal } = recorder.call(0).context;
    await vi.advanceTimersByTimeAsync(50);
    expect(expired.outcome).toEqual(late(50, true));
    expect(signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(50);
    expect(other.outcome).toEqual(late(100, true));
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe((other.outcome as PromiseRejectedResult).reason);
    void batcher.add(3);
    await settle();
    expect(recorder.calls).toHaveLength(1);
    await recorder.call(0).answer([1, 2]);
    expect(recorder.batches).toEqual([[1, 2], [3]]);
    await recorder.call(1).answer([3]);
  });

  test('that is up while it waits for another attempt says whether it may have taken effect', async () => {
    const recorder = new Recorder<number>();
    const retry = { attempts: 3, baseDelay: 1000, isIdempotent: () => true };
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    const batcher = new Batcher({ execute: recorder.execute, retry, maxSize: 1 });
    const refused = watch(batcher.add(1, { timeout: 10 }));
    const unknown = watch(batcher.add(2, { timeout: 10 }));
    await settle();
    await recorder.call(0).answer([new Error('refused')]);
    await recorder.call(1).fail(new Error('lost'));
    await vi.advanceTimersByTimeAsync(10);
    expect([refused.outcome, unknown.outcome]).toEqual([late(10, false), late(10, true)]);
    expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, expired: 2 });
  });

  test('shortens linger, so that half of it is left to carry the operation out', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 100 });
    void batcher.add(1);
    await vi.advanceTimersByTimeAsync(10);
    void batcher.add(2, { timeout: 1000 });
    const hasty = batcher.add(3, { timeout: 60 });
    await vi.advanceTimersByTimeAsync(29);
    expect(recorder.calls).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(recorder.batches).toEqual([[1, 2, 3]]);
    await recorder.call(0).answer([1, 2, 3]);
    expect(await hasty).toBe(3);
  });

  test('shortens the linger of what stands before the operation in its key, in another group', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, linger: Infinity, groupBy: String, orderingKey: () => 1 });
    void batcher.add('read');
    const last = batcher.add('write', { timeout: 20 });
    await vi.advanceTimersByTimeAsync(10);
    await recorder.call(0).answer(['']);
    await recorder.call(1).answer(['done']);
    expect(await last).toBe('done');
  });

  test('is one timer for all of them, gone with the last', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute });
    const outcomes = Array.from({ length: 100 }, (_, op) => watch(batcher.add(op, { timeout: 1000 - op })));
    await settle();
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(950);
    expect(outcomes.filter(({ outcome }) => outcome !== undefined)).toHaveLength(50);
    expect(vi.getTimerCount()).toBe(1);
    await recorder.call(0).answer(recorder.call(0).ops);
    expect(vi.getTimerCount()).toBe(0);
    expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual([
      ...Array<string>(50).fill('fulfilled'),
      ...Array<string>(50).fill('rejected'),
    ]);
  });

  test('holds when the timer is late: what has expired is not sent', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    void batcher.add(1);
    await settle();
    const expired = watch(batcher.add(2, { timeout: 50 }));
    const now = performance.now();
    // The process was busy: time has passed, but the timer has not fired.
    vi.spyOn(performance, 'now').mockReturnValue(now + 50);
    recorder
      .call(0)
      .answer([1])
      .catch(() => {});
    await Promise.resolve();
    await new Promise((resolve) => process.nextTick(resolve));
    await settle();
    expect(expired.outcome).toEqual(late(50, false));
    expect(recorder.batches).toEqual([[1]]);
  });

  test('is that of the caller: others who share the read wait on', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, dedupeKey: (op) => op });
    const hasty = watch(batcher.add('k', { timeout: 10 }));
    const patient = watch(batcher.add('k', { timeout: 20 }));
    await settle();
    await vi.advanceTimersByTimeAsync(10);
    expect(hasty.outcome).toEqual(late(10, true));
    await recorder.call(0).answer(['v']);
    expect(patient.outcome).toEqual({ status: 'fulfilled', value: 'v' });
  });

  test('and a signal go together: what comes first counts, and nothing is left behind', async () => {
    const batcher = new Batcher<number, number>({ execute: () => new Promise(() => {}) });
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const expired = watch(batcher.add(1, { timeout: 10, signal: controller.signal }));
    await vi.advanceTimersByTimeAsync(10);
    expect(expired.outcome).toEqual(late(10, true));
    expect(removed).toHaveBeenCalledTimes(1);
    const aborted = watch(batcher.add(2, { timeout: 10, signal: controller.signal }));
    controller.abort('enough');
    await settle();
    expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, -1, NaN, '5' as unknown as number])('of %s is refused', async (timeout) => {
    const batcher = new Batcher({ execute: async (ops: readonly number[]) => ops });
    await expect(batcher.add(1, { timeout })).rejects.toThrow('`timeout` must be a positive number of milliseconds');
  });
});
