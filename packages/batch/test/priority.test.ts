import { describe, expect, test } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

/** Adds while the only slot is busy, then sends one operation at a time. */
async function orderOf(
  ops: readonly [op: string, priority?: number][],
  options: { readonly orderingKey?: (op: string) => unknown; readonly groupBy?: (op: string) => string } = {},
): Promise<string[]> {
  const recorder = new Recorder<string>();
  const batcher = new Batcher({ execute: recorder.execute, maxSize: 1, concurrency: 1, ...options });
  void batcher.add('read warm-up');
  await settle();
  for (const [op, priority] of ops) void batcher.add(op, { priority });
  for (let index = 0; index < recorder.calls.length; index++) await recorder.call(index).answer(['']);
  expect(batcher.stats()).toMatchObject({ pending: 0, groups: 0, orderingKeys: 0 });
  return recorder.batches.slice(1).flat();
}

const kind = (op: string): string => op.split(' ')[0] ?? '';

describe('a priority', () => {
  test('goes before the time of adding, and equal ones keep it', async () => {
    expect(await orderOf([['a'], ['b', 5], ['c', -1], ['d', 5], ['e', 0], ['f', 0.5]])).toEqual([
      'b',
      'd',
      'f',
      'a',
      'e',
      'c',
    ]);
  });

  test('goes before groupOrder, which decides among equal ones', async () => {
    const ops: [string, number?][] = [['read a'], ['create b', 1], ['write c', 1], ['read d', -1], ['create e']];
    expect(await orderOf(ops, { groupBy: kind })).toEqual(['write c', 'create b', 'read a', 'create e', 'read d']);
  });

  test('reorders only different keys: what comes before an urgent operation of its key is as urgent', async () => {
    const ops: [string, number?][] = [['b1'], ['a1'], ['b2'], ['a2', 9], ['a3'], ['c1', 3]];
    expect(await orderOf(ops, { orderingKey: (op) => op[0] })).toEqual(['a1', 'a2', 'c1', 'b1', 'a3', 'b2']);
  });

  test('fills its batch with what is less urgent, in the order added', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 3, concurrency: 1 });
    void batcher.add('a');
    void batcher.add('b');
    void batcher.add('c', { priority: -2 });
    void batcher.add('d', { priority: 2 });
    await settle();
    expect(recorder.batches).toEqual([['a', 'b', 'd']]);
    await recorder.call(0).answer(['', '', '']);
    await recorder.call(1).answer(['']);
  });

  test('can come from an option, which a call overrides', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({
      execute: recorder.execute,
      maxSize: 1,
      concurrency: 1,
      priority: (op) => op.length,
    });
    void batcher.addMany(['1', '22', '333']);
    void batcher.add('1', { priority: 9 });
    await settle();
    for (let index = 0; index < recorder.calls.length; index++) await recorder.call(index).answer(['']);
    expect(recorder.batches.flat()).toEqual(['1', '333', '22', '1']);
  });

  test.each([NaN, Infinity, '1' as unknown as number])('of %s is refused', async (priority) => {
    const execute = async (ops: readonly string[]): Promise<readonly string[]> => ops;
    await expect(new Batcher({ execute }).add('a', { priority })).rejects.toThrow('`priority` must be a number');
    await expect(new Batcher({ execute, priority: () => priority }).add('a')).rejects.toThrow(
      '`priority(op)` must be a number',
    );
  });

  test('leaves with an aborted operation', async () => {
    const recorder = new Recorder<string>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 1, concurrency: 1, orderingKey: (op) => op[0] });
    void batcher.add('w');
    await settle();
    const controller = new AbortController();
    void batcher.add('a1');
    const aborted = watch(batcher.add('a2', { priority: 9, signal: controller.signal }));
    void batcher.add('b1', { priority: 3 });
    void batcher.add('a3', { priority: 2 });
    controller.abort();
    for (let index = 0; index < recorder.calls.length; index++) await recorder.call(index).answer(['']);
    expect(recorder.batches.flat()).toEqual(['w', 'a1', 'b1', 'a3']);
    expect(aborted.outcome?.status).toBe('rejected');
  });
});

describe('a flood', () => {
  test.each([1, 1000])('of urgent operations does not starve the others: %i of them wait', async (priority) => {
    let sent = 0;
    let before = -1;
    const batcher = new Batcher<string, string>({
      concurrency: 1,
      maxSize: 1,
      execute: async (ops) => {
        if (ops[0] === 'patient') before = sent;
        else if (sent < 100) void batcher.add('urgent', { priority: priority + sent });
        sent++;
        return ops;
      },
    });
    void batcher.add('urgent', { priority });
    void batcher.add('urgent', { priority });
    await batcher.add('patient');
    await batcher.drain();
    expect(before).toBe(8);
  });

  test('of several classes lets each of the others have its turn', async () => {
    const turns = new Map<string, number>();
    let sent = 0;
    const batcher = new Batcher<string, string>({
      concurrency: 1,
      maxSize: 1,
      groupBy: kind,
      execute: async (ops) => {
        const [op = ''] = ops;
        if (op !== 'read flood') turns.set(op, sent);
        else if (sent < 200) void batcher.add(op, { priority: 3 });
        sent++;
        return ops;
      },
    });
    void batcher.add('read flood', { priority: 3 });
    void batcher.add('read flood', { priority: 3 });
    void batcher.addMany(['read 1', 'write 1', 'delete 1', 'create 1', 'read 2']);
    await batcher.drain();
    // Passed over 8 times, then one after another; then 8 times again.
    expect([...turns]).toEqual([
      ['read 1', 8],
      ['write 1', 9],
      ['delete 1', 10],
      ['create 1', 11],
      ['read 2', 17],
    ]);
  });
});
