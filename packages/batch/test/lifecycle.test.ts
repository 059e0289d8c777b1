import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { echo, useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('flush', () => {
  test('resolves when what was added before it has settled, failures included, and does not wait for more', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 1000, maxSize: 1 });
    const first = watch(batcher.add(1));
    await settle();
    const batch = watch(batcher.flush());
    const later = watch(batcher.add(2));
    await settle();
    expect(batch.outcome).toBeUndefined();
    await recorder.call(0).answer([new Error('no')]);
    expect(first.outcome?.status).toBe('rejected');
    expect(batch.outcome?.status).toBe('fulfilled');
    expect(later.outcome).toBeUndefined();
    await recorder.call(1).answer([2]);
  });

  test('of an idle batcher resolves at once', async () => {
    await new Batcher({ execute: echo }).flush();
  });

  test('reaches what waits behind its key, through all groups', async () => {
    const batcher = new Batcher({ execute: echo, linger: 1000, groupBy: String, orderingKey: () => 'k' });
    const outcomes = batcher.addMany([1, 2, 3]);
    await batcher.flush();
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  });

  test('and add may be called inside execute; what is added goes into a later batch', async () => {
    const seen: (readonly number[])[] = [];
    const inner: Promise<unknown>[] = [];
    const batcher = new Batcher<number, number>({
      linger: 1000,
      execute: async (ops) => {
        seen.push(ops);
        if (ops[0] === 1) inner.push(batcher.add(2), batcher.flush());
        return ops;
      },
    });
    void batcher.add(1);
    await batcher.flush();
    await Promise.all(inner);
    expect(seen).toEqual([[1], [2]]);
  });
});

describe('drain', () => {
  test('resolves when nothing is pending, what is added meanwhile included', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 1000 });
    void batcher.add(1);
    const drained = watch(batcher.drain());
    await settle();
    void batcher.add(2);
    await settle();
    await recorder.call(0).answer([1]);
    expect(drained.outcome).toBeUndefined();
    await recorder.call(1).answer([2]);
    expect(drained.outcome?.status).toBe('fulfilled');
    void batcher.add(3);
    await settle();
    // It lingers again.
    expect(recorder.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1000);
    await recorder.call(2).answer([3]);
  });
});

describe('close', () => {
  test('sends what lingers, waits for it, and refuses more', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 1000, name: 'b' });
    const pending = batcher.add(1);
    const closing = watch(batcher.close());
    expect(batcher.closed).toBe(true);
    await settle();
    const refused: unknown = await batcher.add(2).catch((reason: unknown) => reason);
    expect(refused).toMatchObject({ code: 'PERF_BATCH_CLOSED', name: 'BatcherClosedError', outcomeUnknown: false });
    expect(String(refused)).toBe('BatcherClosedError: Batcher "b" is closed');
    expect(closing.outcome).toBeUndefined();
    await recorder.call(0).answer([10]);
    expect(await pending).toBe(10);
    expect(closing.outcome).toEqual({ status: 'fulfilled', value: { unsent: [], unknown: [] } });
  });

  test('is idempotent', async () => {
    const batcher = new Batcher({ execute: echo });
    const first = batcher.close();
    expect(batcher.close()).toBe(first);
    expect(await first).toEqual({ unsent: [], unknown: [] });
    await batcher[Symbol.asyncDispose]();
  });

  test('with a timeout rejects what is left, and reports what was not sent and what may have taken effect', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({
      execute: recorder.execute,
      concurrency: 1,
      maxSize: 2,
      orderingKey: (op) => (op > 3 ? 'k' : undefined),
      retry: { baseDelay: 1e6 },
    });
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    const outcomes = batcher.addMany([1, 2, 3, 4, 5, 6]);
    await settle();
    await recorder.call(0).answer([1, new Error('again, much later')]);
    const closing = batcher.close({ timeout: 100 });
    await vi.advanceTimersByTimeAsync(100);
    expect(await closing).toEqual({ unsent: [2, 5, 6], unknown: [3, 4] });
    expect(
      (await outcomes).map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as object) : outcome.value)),
    ).toEqual([
      1,
      ...[false, true, true, false, false].map((outcomeUnknown): unknown =>
        expect.objectContaining({ code: 'PERF_BATCH_CLOSED', outcomeUnknown }),
      ),
    ]);
    expect(recorder.call(1).context.signal.aborted).toBe(true);
    await recorder.call(1).answer([3, 4]);
    expect(recorder.calls).toHaveLength(2);
    expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, groups: 0, orderingKeys: 0, withdrawn: 5 });
    vi.restoreAllMocks();
  });

  test('can be given a timeout later', async () => {
    const batcher = new Batcher<number, number>({ execute: () => new Promise(() => {}) });
    const hanging = watch(batcher.add(1));
    const closing = batcher.close();
    await settle();
    const second = batcher.close({ timeout: 5 });
    await vi.advanceTimersByTimeAsync(5);
    expect(await closing).toEqual({ unsent: [], unknown: [1] });
    expect(await second).toEqual({ unsent: [], unknown: [1] });
    expect(hanging.outcome?.status).toBe('rejected');
  });

  test('refuses a bad timeout and stays open', async () => {
    const batcher = new Batcher({ execute: echo });
    await expect(batcher.close({ timeout: 0 })).rejects.toThrow('`timeout` must be a positive number of milliseconds');
    expect(batcher.closed).toBe(false);
    expect(await batcher.add(1)).toBe(10);
  });

  test('called by a callback of add refuses that operation', async () => {
    const batcher: Batcher<number, number> = new Batcher<number, number>({
      execute: echo,
      groupBy: () => {
        void batcher.close();
        return 'g';
      },
    });
    await expect(batcher.add(1)).rejects.toMatchObject({ code: 'PERF_BATCH_CLOSED' });
  });
});
