import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle } from './recorder.ts';

useFakeTime();

const kind = (op: string): string => op.split(' ')[0] ?? '';

describe("order: 'strict'", () => {
  test('sends runs of one group, one batch at a time, in the order added, whatever the keys and the group order', async () => {
    const recorder = new Recorder<string>();
    const orderingKey = vi.fn((op: string) => op);
    const batcher = new Batcher({ execute: recorder.execute, order: 'strict', groupBy: kind, orderingKey, maxSize: 2 });
    void batcher.addMany(['write a', 'write b', 'write c', 'read a', 'create d', 'read b', 'read c']);
    await settle();
    for (let index = 0; index < recorder.calls.length; index++) {
      expect(recorder.calls).toHaveLength(index + 1);
      await recorder.call(index).answer(recorder.call(index).ops);
    }
    expect(recorder.batches).toEqual([
      ['write a', 'write b'],
      ['write c'],
      ['read a'],
      ['create d'],
      ['read b', 'read c'],
    ]);
    expect(orderingKey).not.toHaveBeenCalled();
    expect(batcher.stats()).toMatchObject({ pending: 0, orderingKeys: 0, groups: 0 });
  });

  test('lets nothing pass an operation that is tried again', async () => {
    const recorder = new Recorder<string>();
    const retry = { attempts: 2, baseDelay: 0 };
    const batcher = new Batcher({ execute: recorder.execute, order: 'strict', groupBy: kind, maxSize: 1, retry });
    const done: string[] = [];
    for (const op of ['write a', 'write b']) void batcher.add(op).then((result) => done.push(result));
    await settle();
    await recorder.call(0).answer([new Error('once')]);
    await settle();
    expect(recorder.batches).toEqual([['write a'], ['write a']]);
    await recorder.call(1).answer(['a']);
    await recorder.call(2).answer(['b']);
    expect(done).toEqual(['a', 'b']);
  });

  test('heeds no priority', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, order: 'strict', maxSize: 1 });
    void batcher.add('first');
    void batcher.add('urgent', { priority: 9 });
    await settle();
    await recorder.call(0).answer(['']);
    await recorder.call(1).answer(['']);
    expect(recorder.batches).toEqual([['first'], ['urgent']]);
  });
});

describe("order: 'none'", () => {
  test('does not ask for the ordering key, so that operations of one key run at the same time', async () => {
    const recorder = new Recorder<string>();
    const orderingKey = vi.fn(() => 'k');
    const batcher = new Batcher({ execute: recorder.execute, order: 'none', orderingKey, maxSize: 1 });
    void batcher.addMany(['1', '2', '3']);
    await settle();
    expect(recorder.batches).toEqual([['1'], ['2'], ['3']]);
    expect(orderingKey).not.toHaveBeenCalled();
    for (const call of recorder.calls) await call.answer(call.ops);
  });
});
