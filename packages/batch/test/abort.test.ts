import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { echo, useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('an abort', () => {
  test('before sending takes the operation out of its batch, with the reason unchanged', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute });
    const controller = new AbortController();
    const reason = new Error('enough');
    void batcher.add(1);
    const aborted = watch(batcher.add(2, { signal: controller.signal }));
    void batcher.add(3);
    controller.abort(reason);
    await settle();
    expect(aborted.outcome).toEqual({ status: 'rejected', reason });
    expect((aborted.outcome as PromiseRejectedResult).reason).toBe(reason);
    expect(recorder.batches).toEqual([[1, 3]]);
    await recorder.call(0).answer([1, 3]);
    expect(batcher.stats()).toMatchObject({ withdrawn: 1, succeeded: 2, pending: 0 });
  });

  test('of all operations means no batch and no timer', async () => {
    const execute = vi.fn(echo);
    const batcher = new Batcher({ execute, linger: 10 });
    const signal = AbortSignal.abort('at once');
    const controller = new AbortController();
    const outcomes = batcher.addMany([1, 2], { signal: controller.signal });
    await expect(batcher.add(3, { signal })).rejects.toBe('at once');
    controller.abort('later');
    expect(vi.getTimerCount()).toBe(0);
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: 'later' },
      { status: 'rejected', reason: 'later' },
    ]);
    await settle();
    expect(execute).not.toHaveBeenCalled();
    expect(batcher.stats()).toMatchObject({ groups: 0, pending: 0 });
  });

  test('while being executed frees the caller at once, and the batch signal only when all callers are gone', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute });
    const [one, two] = [new AbortController(), new AbortController()];
    const outcomes = [1, 2].map((op, index) => watch(batcher.add(op, { signal: [one, two][index]?.signal })));
    await settle();
    const { signal } = recorder.call(0).context;
    one.abort('one');
    await settle();
    expect(outcomes[0]?.outcome).toEqual({ status: 'rejected', reason: 'one' });
    expect(signal.aborted).toBe(false);
    two.abort('two');
    await settle();
    expect(signal.reason).toBe('two');
    // The slot is the store's until it is done.
    expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 1 });
    await recorder.call(0).answer([1, 2]);
    expect(batcher.stats().inFlight).toBe(0);
  });

  test('takes one listener per signal, and leaves none behind', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const batcher = new Batcher({
      execute: async (ops: readonly number[]) => ops.map((op) => (op === 2 ? new Error('no') : op)),
    });
    await batcher.addMany([1, 2, 3], { signal });
    await batcher.add(4, { signal });
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });

  test('by a callback of add is heeded', async () => {
    const controller = new AbortController();
    const execute = vi.fn(echo);
    const batcher = new Batcher<number, number>({
      execute,
      groupBy: () => {
        controller.abort('in groupBy');
        return 'g';
      },
    });
    await expect(batcher.add(1, { signal: controller.signal })).rejects.toBe('in groupBy');
    await batcher.drain();
    expect(execute).not.toHaveBeenCalled();
  });

  test('refuses a signal that is none', async () => {
    const batcher = new Batcher({ execute: echo });
    await expect(batcher.add(1, { signal: {} as AbortSignal })).rejects.toThrow('`signal` must be an AbortSignal');
    await expect(batcher.add(1, { timout: 5 } as object)).rejects.toThrow('has no option `timout`');
  });
});
