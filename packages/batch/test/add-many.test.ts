import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { echo, useFakeTime } from './fake-time.ts';
import { Recorder, settle } from './recorder.ts';

useFakeTime();

describe('addMany', () => {
  test('resolves with the outcomes in the order given, however they come in', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 1 });
    const outcomes = batcher.addMany(new Set([1, 2, 3]));
    await settle();
    await recorder.call(2).answer([30]);
    await recorder.call(1).answer([new Error('two')]);
    await recorder.call(0).answer([10]);
    expect(await outcomes).toEqual([
      { status: 'fulfilled', value: 10 },
      { status: 'rejected', reason: new Error('two') },
      { status: 'fulfilled', value: 30 },
    ]);
  });

  test('of nothing resolves with nothing', async () => {
    expect(await new Batcher({ execute: echo }).addMany([])).toEqual([]);
  });

  test('of an iterable that throws rejects, and what was added is carried out', async () => {
    const execute = vi.fn(async (ops: readonly number[]) => ops.map(() => new Error('refused')));
    const batcher = new Batcher<number, number>({ execute });
    function* broken(): Generator<number> {
      yield 1;
      throw new Error('broken');
    }
    await expect(batcher.addMany(broken())).rejects.toThrow('broken');
    await batcher.drain();
    expect(execute).toHaveBeenCalledTimes(1);
  });
});
