import { describe, expect, test } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle } from './recorder.ts';

useFakeTime();

describe('groups', () => {
  const kind = (op: string): string => op.split(' ')[0] ?? '';

  test('are never mixed, and wait in the order read, write, delete, create, others', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, groupBy: kind });
    void batcher.addMany(['stat 1', 'create 1', 'delete 1', 'write 1', 'read 1', 'create 2']);
    await settle();
    expect(recorder.calls.map(({ context }) => context.group)).toEqual(['read', 'write', 'delete', 'create']);
    expect(recorder.call(3).ops).toEqual(['create 1', 'create 2']);
    for (const call of recorder.calls.slice()) await call.answer(call.ops);
    expect(recorder.call(4).ops).toEqual(['stat 1']);
    await recorder.call(4).answer(['stat 1']);
    expect(batcher.stats().groups).toBe(0);
  });

  test('wait in the order given', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, groupBy: kind, groupOrder: ['b', 'a'] });
    void batcher.addMany(['a 1', 'b 1']);
    await settle();
    expect(recorder.batches).toEqual([['b 1'], ['a 1']]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('are not starved by a flood of a group before them', async () => {
    let sent = 0;
    let readsBefore = 0;
    const batcher = new Batcher({
      concurrency: 1,
      maxSize: 1,
      groupBy: kind,
      execute: async (ops: readonly string[]) => {
        sent++;
        if (kind(ops[0] ?? '') === 'create') readsBefore = sent - 1;
        else if (sent < 100) void batcher.add('read again');
        return ops;
      },
    });
    void batcher.addMany(['read 1', 'read 2']);
    await batcher.add('create 1');
    expect(readsBefore).toBe(8);
    await batcher.drain();
  });
});
