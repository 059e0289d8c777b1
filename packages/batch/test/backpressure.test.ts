import { describe, expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

function setUp(options: Partial<BatcherOptions<number, number>> = {}) {
  const recorder = new Recorder<number>();
  const batcher = new Batcher<number, number>({ execute: recorder.execute, sizeOf: (op) => op, name: 'b', ...options });
  const add = (op: number, more?: object) => watch(batcher.add(op, more));
  /** Answers the calls that are open, and those that follow from it. */
  const answerAll = async (): Promise<void> => {
    for (const call of recorder.calls) await call.answer(call.ops);
  };
  return { recorder, batcher, add, answerAll };
}

describe('maxPending', () => {
  test('refuses one more operation than may be unsettled, and takes the next when one has settled', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxPending: 2, name: 'small' });
    const outcomes = batcher.addMany([1, 2, 3]);
    await settle();
    const error: unknown = await batcher.add(4).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PERF_BATCH_FULL', name: 'QueueFullError', pending: 2, limit: 2 });
    expect(String(error)).toBe('QueueFullError: Batcher "small" is full: 2 waiting, limit 2');
    expect(batcher.stats()).toMatchObject({ added: 2, refused: 2 });
    await recorder.call(0).answer([1, 2]);
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    void batcher.add(5);
    await settle();
    await recorder.call(1).answer([5]);
  });

  test('gives the place of an aborted operation to the next', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxPending: 1 });
    const controller = new AbortController();
    const aborted = watch(batcher.add(1, { signal: controller.signal }));
    controller.abort();
    void batcher.add(2);
    await settle();
    expect(recorder.batches).toEqual([[2]]);
    expect(aborted.outcome?.status).toBe('rejected');
    await recorder.call(0).answer([2]);
  });

  test('lets reads share an execution when full', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxPending: 1, dedupeKey: (op) => op });
    const both = Promise.all([batcher.add(1), batcher.add(1)]);
    await settle();
    await recorder.call(0).answer([1]);
    expect(await both).toEqual([1, 1]);
  });
});

describe('maxPendingBytes', () => {
  test('refuses an operation for which there is no room, and counts what is executed', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPendingBytes: 10 });
    add(6);
    await settle();
    add(4);
    const error: unknown = await batcher.add(1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PERF_BATCH_FULL', pending: 10, limit: 10 });
    expect(String(error)).toBe('QueueFullError: Batcher "b" (in bytes) is full: 10 waiting, limit 10');
    expect(batcher.stats()).toMatchObject({ pending: 2, pendingBytes: 10, refused: 1 });
    await recorder.call(0).answer([6]);
    add(3);
    await settle();
    expect(batcher.stats()).toMatchObject({ pendingBytes: 7 });
    await answerAll();
    expect(batcher.stats()).toMatchObject({ pending: 0, pendingBytes: 0 });
  });

  test('takes an operation that is larger by itself when nothing else is pending', async () => {
    const { recorder, add } = setUp({ maxPendingBytes: 10 });
    const large = add(50);
    await settle();
    expect(recorder.batches).toEqual([[50]]);
    const refused = add(1);
    await settle();
    expect(refused.outcome?.status).toBe('rejected');
    await recorder.call(0).answer([50]);
    expect(large.outcome?.status).toBe('fulfilled');
  });

  test('does not drift with sizes that are no whole numbers', async () => {
    const { batcher } = setUp({ maxPendingBytes: 1, whenFull: 'wait', execute: async (ops) => ops });
    await batcher.addMany(Array.from({ length: 99 }, (_, index) => 0.1 + index / 1000));
    expect(batcher.stats()).toMatchObject({ pending: 0, pendingBytes: 0 });
  });
});

describe("whenFull: 'wait'", () => {
  test('lets operations wait for room, and a release lets in exactly those that fit, in order', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPending: 3, whenFull: 'wait', maxSize: 1 });
    const outcomes = Array.from({ length: 9 }, (_, op) => add(op));
    await settle();
    expect(batcher.stats()).toMatchObject({ pending: 3, parked: 6, added: 9 });
    expect(recorder.batches).toEqual([[0], [1], [2]]);
    await recorder.call(1).answer([1]);
    expect(recorder.batches.slice(3)).toEqual([[3]]);
    expect(batcher.stats()).toMatchObject({ pending: 3, parked: 5 });
    await answerAll();
    expect(recorder.batches.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(outcomes.every(({ outcome }) => outcome?.status === 'fulfilled')).toBe(true);
  });

  test('lets nothing overtake what waits, however small', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPendingBytes: 10, whenFull: 'wait' });
    add(8);
    await settle();
    add(9);
    add(1);
    await settle();
    expect(batcher.stats()).toMatchObject({ pending: 1, parked: 2 });
    await recorder.call(0).answer([8]);
    expect(recorder.batches).toEqual([[8], [9, 1]]);
    await answerAll();
  });

  test('lets in an operation larger than the limit alone', async () => {
    const { recorder, add, answerAll } = setUp({ maxPendingBytes: 10, whenFull: 'wait' });
    const outcomes = [add(3), add(50), add(4), add(5)];
    await settle();
    expect(recorder.batches).toEqual([[3]]);
    await recorder.call(0).answer([3]);
    expect(recorder.batches).toEqual([[3], [50]]);
    await recorder.call(1).answer([50]);
    expect(recorder.batches).toEqual([[3], [50], [4, 5]]);
    await answerAll();
    expect(outcomes.every(({ outcome }) => outcome?.status === 'fulfilled')).toBe(true);
  });

  test('aborting one that waits frees nothing it never held, and lets in the next', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPendingBytes: 10, whenFull: 'wait' });
    const controller = new AbortController();
    add(6);
    await settle();
    const large = add(9, { signal: controller.signal });
    const small = add(4);
    const next = add(1);
    controller.abort('enough');
    await settle();
    expect(large.outcome).toEqual({ status: 'rejected', reason: 'enough' });
    expect(batcher.stats()).toMatchObject({ pending: 2, pendingBytes: 10, parked: 1, withdrawn: 1 });
    expect(recorder.batches).toEqual([[6], [4]]);
    await answerAll();
    expect([small.outcome?.status, next.outcome?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(batcher.stats()).toMatchObject({ pending: 0, parked: 0, groups: 0 });
  });

  test('rejects one that waits when its time is up, unsent', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPending: 1, whenFull: 'wait' });
    add(1);
    const expired = add(2, { timeout: 10 });
    await vi.advanceTimersByTimeAsync(10);
    expect(expired.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_DEADLINE', outcomeUnknown: false } });
    await answerAll();
    expect(recorder.batches).toEqual([[1]]);
    expect(batcher.stats()).toMatchObject({ expired: 1, pending: 0, parked: 0, groups: 0 });
  });

  test('addMany of more than the limit comes to an end', async () => {
    const { batcher } = setUp({ maxPending: 3, whenFull: 'wait', execute: async (ops) => ops });
    const outcomes = await batcher.addMany(Array.from({ length: 1000 }, (_, op) => op));
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual(
      Array.from({ length: 1000 }, (_, op) => op),
    );
  });

  test('operations added in a continuation of a result come in as well', async () => {
    const { batcher } = setUp({ maxPending: 1, whenFull: 'wait', execute: async (ops) => ops });
    const chain = async (op: number): Promise<number> => (op === 0 ? 0 : chain((await batcher.add(op)) - 1));
    expect(await Promise.all([chain(20), chain(30), chain(5)])).toEqual([0, 0, 0]);
  });

  test('keeps the order of a key across the wait', async () => {
    const { recorder, answerAll } = setUp();
    const batcher = new Batcher<number, number>({
      execute: recorder.execute,
      maxPending: 2,
      whenFull: 'wait',
      orderingKey: (op) => op % 2,
      groupBy: (op) => (op < 3 ? 'write' : 'read'),
    });
    void batcher.addMany([1, 3, 5, 2, 7, 9]);
    await settle();
    await answerAll();
    expect(recorder.batches.flat().filter((op) => op % 2 === 1)).toEqual([1, 3, 5, 7, 9]);
  });

  test('a read shares no execution past a write that waits for room', async () => {
    const { recorder, answerAll } = setUp();
    const batcher = new Batcher<number, number>({
      execute: recorder.execute,
      maxPending: 1,
      whenFull: 'wait',
      orderingKey: () => 'k',
      dedupeKey: (op) => (op === 0 ? undefined : 'read'),
    });
    const outcomes = [1, 0, 2].map((op) => watch(batcher.add(op)));
    await settle();
    await answerAll();
    expect(recorder.batches).toEqual([[1], [0], [2]]);
    expect(outcomes.map(({ outcome }) => outcome?.status)).toEqual(Array(3).fill('fulfilled'));
  });

  test('flush sends what waited for room when it was called, and waits for it', async () => {
    const { recorder, batcher, add } = setUp({ maxPending: 1, whenFull: 'wait', linger: 1000 });
    add(1);
    add(2);
    const flushed = watch(batcher.flush());
    add(3);
    await settle();
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2]]);
    expect(flushed.outcome).toBeUndefined();
    await recorder.call(1).answer([2]);
    expect(flushed.outcome?.status).toBe('fulfilled');
    // The third lingers.
    expect(recorder.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1000);
    await recorder.call(2).answer([3]);
  });

  test('an operation that waited for room lingers at most half of the time that is left', async () => {
    const { recorder, add } = setUp({ maxPending: 1, whenFull: 'wait', linger: 1000, maxSize: 2 });
    add(1);
    const second = add(2, { timeout: 1500 });
    await vi.advanceTimersByTimeAsync(1000);
    await recorder.call(0).answer([1]);
    expect(recorder.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(250);
    await recorder.call(1).answer([2]);
    expect(second.outcome?.status).toBe('fulfilled');
  });

  test('close lets in what waits, and refuses more', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPending: 1, whenFull: 'wait' });
    const outcomes = [add(1), add(2), add(3)];
    const closing = watch(batcher.close());
    await expect(batcher.add(4)).rejects.toMatchObject({ code: 'PERF_BATCH_CLOSED' });
    await settle();
    await answerAll();
    expect(closing.outcome).toEqual({ status: 'fulfilled', value: { unsent: [], unknown: [] } });
    expect(recorder.batches).toEqual([[1], [2], [3]]);
    expect(outcomes.every(({ outcome }) => outcome?.status === 'fulfilled')).toBe(true);
  });

  test('close with a timeout reports what waits as unsent', async () => {
    const { recorder, batcher, add } = setUp({ maxPending: 2, whenFull: 'wait', maxSize: 1, concurrency: 1 });
    const outcomes = [1, 2, 3, 4].map((op) => add(op, { timeout: 1e6 }));
    await settle();
    const closing = watch(batcher.close({ timeout: 5 }));
    await vi.advanceTimersByTimeAsync(5);
    expect(closing.outcome).toEqual({ status: 'fulfilled', value: { unsent: [2, 3, 4], unknown: [1] } });
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(
      [true, false, false, false].map((outcomeUnknown): unknown => ({
        status: 'rejected',
        reason: expect.objectContaining({ code: 'PERF_BATCH_CLOSED', outcomeUnknown }) as unknown,
      })),
    );
    expect(recorder.calls).toHaveLength(1);
    expect(batcher.stats()).toMatchObject({ pending: 0, parked: 0, groups: 0, withdrawn: 4 });
  });
});

describe('ready', () => {
  test('resolves at once while there is room, else in turn when there is some', async () => {
    const { recorder, batcher, add, answerAll } = setUp({ maxPending: 2, maxSize: 1 });
    await batcher.ready();
    add(1);
    add(2);
    const woken: number[] = [];
    const produce = async (op: number): Promise<void> => {
      await batcher.ready();
      woken.push(op);
      void batcher.add(op);
    };
    const producers = [3, 4, 5].map(produce);
    await settle();
    expect(woken).toEqual([]);
    await recorder.call(1).answer([2]);
    expect(woken).toEqual([3]);
    await answerAll();
    await Promise.all(producers);
    expect(woken).toEqual([3, 4, 5]);
    expect(batcher.stats()).toMatchObject({ refused: 0, pending: 0 });
  });

  test('waits for bytes too', async () => {
    const { recorder, batcher, add } = setUp({ maxPendingBytes: 10 });
    add(10);
    const ready = watch(batcher.ready());
    await settle();
    expect(ready.outcome).toBeUndefined();
    await recorder.call(0).answer([10]);
    expect(ready.outcome?.status).toBe('fulfilled');
  });

  test('can be aborted, and passes its turn on', async () => {
    const { recorder, batcher, add } = setUp({ maxPending: 1 });
    await expect(batcher.ready({ signal: AbortSignal.abort('before') })).rejects.toBe('before');
    add(1);
    const controller = new AbortController();
    const aborted = watch(batcher.ready({ signal: controller.signal }));
    const next = watch(batcher.ready());
    await settle();
    controller.abort('enough');
    await settle();
    expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
    await recorder.call(0).answer([1]);
    expect(next.outcome?.status).toBe('fulfilled');
  });

  test('rejects when the batcher is closed', async () => {
    const { recorder, batcher, add } = setUp({ maxPending: 1 });
    add(1);
    const waiting = watch(batcher.ready());
    await settle();
    const closing = batcher.close();
    await settle();
    expect(waiting.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_CLOSED' } });
    await expect(batcher.ready()).rejects.toMatchObject({ code: 'PERF_BATCH_CLOSED' });
    await recorder.call(0).answer([1]);
    await closing;
  });
});
