import { describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('an ordering key', () => {
  interface Command {
    readonly kind: 'read' | 'write' | 'delete' | 'create';
    readonly key: string;
    readonly value?: number;
  }

  async function run(maxSize: number, concurrency: number): Promise<unknown[]> {
    const store = new Map<string, number>();
    const batcher = new Batcher<Command, number | undefined>({
      maxSize,
      concurrency,
      groupBy: ({ kind }) => kind,
      orderingKey: ({ key }) => key,
      execute: async (commands) => {
        await new Promise((resolve) => setTimeout(resolve, commands.length % 3));
        return commands.map(({ kind, key, value = 0 }) => {
          if (kind === 'read') return store.get(key);
          if (kind === 'delete') store.delete(key);
          else store.set(key, value);
          return undefined;
        });
      },
    });
    const reads: Promise<number | undefined>[] = [];
    const noise = (): void => {
      for (let key = 0; key < 30; key++) {
        void batcher.add({ kind: key % 2 === 0 ? 'read' : 'create', key: `other ${key}`, value: key });
      }
    };
    const write = (kind: 'write' | 'create', value: number): void => void batcher.add({ kind, key: 'k', value });
    const read = (): void => void reads.push(batcher.add({ kind: 'read', key: 'k' }));
    write('write', 1);
    noise();
    read();
    void batcher.add({ kind: 'delete', key: 'k' });
    noise();
    write('create', 2);
    read();
    write('write', 3);
    noise();
    read();
    const drained = batcher.drain();
    await vi.runAllTimersAsync();
    await drained;
    return Promise.all(reads);
  }

  test.each([
    [1, 1],
    [1, 8],
    [2, 2],
    [7, 3],
    [100, 1],
    [100, 8],
  ])('keeps program order whatever the group order: size %i, concurrency %i', async (maxSize, concurrency) => {
    expect(await run(maxSize, concurrency)).toEqual([1, 2, 3]);
  });

  test('is never in two batches at once, and other keys go on', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 2, orderingKey: (op) => op[0] });
    void batcher.addMany(['a1', 'a2', 'a3', 'b1']);
    await settle();
    expect(recorder.batches).toEqual([['a1', 'a2'], ['b1']]);
    void batcher.add('c1');
    await settle();
    expect(recorder.batches).toEqual([['a1', 'a2'], ['b1'], ['c1']]);
    await recorder.call(0).answer(['a1', 'a2']);
    expect(recorder.batches).toHaveLength(4);
    expect(recorder.call(3).ops).toEqual(['a3']);
    for (const call of recorder.calls.slice(1)) await call.answer(call.ops);
  });

  test('is compared as in a Map, so that any value will do', async () => {
    const recorder = new Recorder<number>();
    const keys: unknown[] = [NaN, NaN, 0, -0, null];
    const batcher = new Batcher({
      execute: recorder.execute,
      maxSize: 1,
      concurrency: 9,
      orderingKey: (op) => keys[op],
    });
    void batcher.addMany([0, 1, 2, 3, 4]);
    await settle();
    expect(recorder.batches).toEqual([[0], [2], [4]]);
    while (batcher.stats().inFlight > 0) for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('whose operation was aborted while it is executed stays busy until that is over', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 1, orderingKey: () => 'k' });
    const controller = new AbortController();
    const first = watch(batcher.add('first', { signal: controller.signal }));
    await settle();
    const second = batcher.add('second');
    controller.abort('enough');
    await settle();
    expect(first.outcome).toEqual({ status: 'rejected', reason: 'enough' });
    expect(recorder.batches).toEqual([['first']]);
    await recorder.call(0).answer(['first']);
    expect(recorder.batches).toEqual([['first'], ['second']]);
    await recorder.call(1).answer(['done']);
    expect(await second).toBe('done');
  });
});
