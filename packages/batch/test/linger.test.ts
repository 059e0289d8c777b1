import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('linger', () => {
  test('keeps a batch open that is not full, counted from its first operation', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10 });
    void batcher.add(1);
    await vi.advanceTimersByTimeAsync(6);
    void batcher.add(2);
    await vi.advanceTimersByTimeAsync(3);
    expect(recorder.batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(recorder.batches).toEqual([[1, 2]]);
    await recorder.call(0).answer([1, 2]);
  });

  test('ends when the batch is full, by count or by bytes', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({
      execute: recorder.execute,
      linger: 10,
      maxSize: 3,
      maxBytes: 100,
      sizeOf: (op) => op,
    });
    void batcher.addMany([1, 2, 3]);
    await settle();
    void batcher.addMany([50, 60]);
    await settle();
    expect(recorder.batches).toEqual([[1, 2, 3], [50]]);
    await vi.advanceTimersByTimeAsync(10);
    expect(recorder.batches).toEqual([[1, 2, 3], [50], [60]]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('that runs out while all slots are busy is remembered', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10, concurrency: 1 });
    void batcher.add(1);
    await vi.advanceTimersByTimeAsync(10);
    void batcher.add(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(recorder.batches).toEqual([[1]]);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2]]);
    await recorder.call(1).answer([2]);
  });

  test('and a full batch racing for the last slot send everything once', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10, maxSize: 2, concurrency: 1 });
    void batcher.add(1);
    setTimeout(() => void batcher.add(2), 10);
    setTimeout(() => void batcher.add(3), 10);
    await vi.advanceTimersByTimeAsync(20);
    while (batcher.stats().inFlight > 0) {
      const call = recorder.call(recorder.calls.length - 1);
      await call.answer(call.ops);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(recorder.batches.flat()).toEqual([1, 2, 3]);
  });

  test('of Infinity waits for a full batch or a flush', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: Infinity, maxSize: 2 });
    void batcher.addMany([1, 2, 3]);
    await vi.advanceTimersByTimeAsync(1e6);
    expect(recorder.batches).toEqual([[1, 2]]);
    const flushed = batcher.flush();
    await settle();
    expect(recorder.batches).toEqual([[1, 2], [3]]);
    for (const call of recorder.calls) await call.answer(call.ops);
    await flushed;
  });

  test('is over for what has waited for its key', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10, groupBy: String, orderingKey: () => 'k' });
    void batcher.addMany([1, 2]);
    await vi.advanceTimersByTimeAsync(10);
    expect(recorder.batches).toEqual([[1]]);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2]]);
    await recorder.call(1).answer([2]);
  });

  test('counts only what could be sent: operations behind their key, and aborted ones, do not fill a batch', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10, maxSize: 3, orderingKey: (op) => op[0] });
    const controller = new AbortController();
    void batcher.addMany(['a1', 'a2', 'a3']);
    await settle();
    expect(recorder.batches).toEqual([['a1', 'a2', 'a3']]);
    // Behind the batch that runs.
    void batcher.addMany(['a4', 'a5']);
    void batcher.add('b1');
    const aborted = watch(batcher.add('b2', { signal: controller.signal }));
    controller.abort();
    await settle();
    expect(recorder.batches).toHaveLength(1);
    void batcher.add('b3');
    await settle();
    expect(recorder.batches).toHaveLength(1);
    void batcher.add('b4');
    await settle();
    expect(recorder.batches.slice(1)).toEqual([['b1', 'b3', 'b4']]);
    expect(aborted.outcome?.status).toBe('rejected');
    await recorder.call(1).answer(['b1', 'b3', 'b4']);
    await recorder.call(0).answer(['a1', 'a2', 'a3']);
    expect(recorder.batches.slice(2)).toEqual([['a4', 'a5']]);
    await recorder.call(2).answer(['a4', 'a5']);
  });

  test('is at most half the timeout of an operation, added while the group is full too', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, linger: 1000, maxBytes: 10, sizeOf: (op) => op });
    void batcher.add(10);
    void batcher.add(1, { timeout: 100 });
    await settle();
    expect(recorder.batches).toEqual([[10]]);
    await vi.advanceTimersByTimeAsync(50);
    expect(recorder.batches).toEqual([[10], [1]]);
    await recorder.call(0).answer([10]);
    await recorder.call(1).answer([1]);
  });

  test('does not begin anew for what waited behind an aborted operation of another group', async () => {
    const recorder = new Recorder<string>();
    const controller = new AbortController();
    const batcher = new Batcher({
      execute: recorder.execute,
      linger: 1000,
      groupBy: (op) => op,
      orderingKey: () => 'k',
    });
    const aborted = watch(batcher.add('write', { signal: controller.signal }));
    const read = watch(batcher.add('read', { timeout: 100 }));
    controller.abort('gone');
    await settle();
    expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'gone' });
    expect(recorder.batches).toEqual([['read']]);
    await recorder.call(0).answer(['row']);
    expect(read.outcome).toEqual({ status: 'fulfilled', value: 'row' });
  });

  test.each(['is called', 'gives up'])('is over only for as long as a producer waits: it %s', async (how) => {
    const recorder = new Recorder<number>();
    const controller = new AbortController();
    const batcher = new Batcher({ execute: recorder.execute, linger: 10, maxPending: 1 });
    void batcher.add(1);
    const ready = watch(batcher.ready({ signal: controller.signal }));
    await settle();
    expect(recorder.batches).toEqual([[1]]);
    if (how === 'gives up') controller.abort();
    await recorder.call(0).answer([1]);
    await settle();
    expect(ready.outcome?.status).toBe(how === 'gives up' ? 'rejected' : 'fulfilled');
    void batcher.add(2);
    await vi.advanceTimersByTimeAsync(9);
    expect(recorder.batches).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(recorder.batches).toEqual([[1], [2]]);
    await recorder.call(1).answer([2]);
  });
});
