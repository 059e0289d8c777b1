import { describe, expect, test, vi } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

interface Command {
  readonly kind: 'read' | 'add' | 'set';
  readonly key: string | undefined;
  readonly by?: number;
}
const add = (by: number, key: string | undefined = 'k'): Command => ({ kind: 'add', key, by });
const read = (key = 'k'): Command => ({ kind: 'read', key });

const sum = (earlier: Command, later: Command): Command => ({
  ...earlier,
  by: (earlier.by ?? 0) + (later.by ?? 0),
});

function start(options: Partial<BatcherOptions<Command, string>> = {}) {
  const recorder = new Recorder<Command, string>();
  const batcher = new Batcher<Command, string>({
    execute: recorder.execute,
    groupBy: ({ kind }) => kind,
    orderingKey: ({ key }) => key,
    dedupeKey: ({ kind, key }) => (kind === 'read' ? key : undefined),
    merge: sum,
    ...options,
  });
  return { recorder, batcher };
}

describe('merge', () => {
  test('makes one operation of those that wait, and all their callers get its result', async () => {
    const { recorder, batcher } = start();
    const results = [add(1), add(2), add(3)].map((op) => batcher.add(op));
    await settle();
    expect(recorder.batches).toEqual([[add(6)]]);
    await recorder.call(0).answer(['6 in all']);
    expect(await Promise.all(results)).toEqual(['6 in all', '6 in all', '6 in all']);
    expect(batcher.stats()).toMatchObject({ added: 1, merged: 2, succeeded: 1, pending: 0, orderingKeys: 0 });
  });

  test('rejects all their callers when it fails', async () => {
    const { recorder, batcher } = start();
    const results = [watch(batcher.add(add(1))), watch(batcher.add(add(2)))];
    await settle();
    const error = new Error('full');
    await recorder.call(0).answer([error]);
    for (const { outcome } of results) expect(outcome).toEqual({ status: 'rejected', reason: error });
  });

  test('leaves what was sent as it is', async () => {
    const { recorder, batcher } = start();
    void batcher.add(add(1));
    await settle();
    void batcher.add(add(2));
    void batcher.add(add(3));
    await recorder.call(0).answer(['1']);
    await recorder.call(1).answer(['6']);
    expect(recorder.batches).toEqual([[add(1)], [add(5)]]);
  });

  test('leaves what waits to be sent again as it is: the first attempt may have taken effect', async () => {
    const { recorder, batcher } = start({ retry: { isIdempotent: () => true, baseDelay: 50 } });
    void batcher.add(add(1));
    await settle();
    await recorder.call(0).fail(new Error('down'));
    void batcher.add(add(2));
    await vi.advanceTimersByTimeAsync(50);
    await recorder.call(1).answer(['1']);
    await recorder.call(2).answer(['3']);
    expect(recorder.batches).toEqual([[add(1)], [add(1)], [add(2)]]);
  });

  test('never reaches across an operation of the same key, nor to another key, group or priority', async () => {
    const { recorder, batcher } = start({ concurrency: 1 });
    const ops = [add(1), read(), add(2), add(3), add(4, 'other'), { kind: 'set', key: 'k', by: 9 } as const, add(5)];
    for (const op of ops) void batcher.add(op);
    void batcher.add(add(6), { priority: 1 });
    for (let call = 0; call < 6; call++) {
      await settle();
      await recorder.call(call).answer(recorder.call(call).ops.map(() => 'done'));
    }
    const sent = recorder.batches.flat().filter(({ key }) => key === 'k');
    expect(sent).toEqual([add(1), read(), add(5), { kind: 'set', key: 'k', by: 9 }, add(5), add(6)]);
    expect(batcher.stats()).toMatchObject({ merged: 1, pending: 0 });
  });

  test('is not asked about reads, nor about operations without a key', async () => {
    const asked: Command[] = [];
    const { recorder, batcher } = start({
      groupBy: () => 'all',
      merge: (earlier, later) => void asked.push(earlier, later),
    });
    for (const op of [read(), add(1), read(), { ...add(1), key: undefined }, { ...add(2), key: undefined }]) {
      void batcher.add(op);
    }
    expect(asked).toEqual([]);
    await settle();
    await recorder.call(0).answer(['', '', '', '', '']);
  });

  test('keeps apart what it gives `undefined` for', async () => {
    const { recorder, batcher } = start({ merge: () => undefined });
    void batcher.add(add(1));
    void batcher.add(add(2));
    await settle();
    expect(recorder.batches).toEqual([[add(1), add(2)]]);
    await recorder.call(0).answer(['1', '3']);
    expect(batcher.stats()).toMatchObject({ added: 2, merged: 0 });
  });

  test('is no reason to wait: a full batcher still takes what it can merge', async () => {
    const { recorder, batcher } = start({ maxPending: 1 });
    const results = [add(1), add(2), add(3)].map((op) => batcher.add(op));
    await expect(batcher.add(add(1, 'other'))).rejects.toMatchObject({ code: 'PERF_BATCH_FULL' });
    await settle();
    await recorder.call(0).answer(['6']);
    expect(await Promise.all(results)).toEqual(['6', '6', '6']);
  });

  test('never overtakes what waits for room', async () => {
    const { recorder, batcher } = start({ maxPending: 1, whenFull: 'wait', groupBy: () => 'all' });
    void batcher.add(add(1));
    void batcher.add(read());
    void batcher.add(add(2));
    for (let call = 0; call < 3; call++) {
      await settle();
      await recorder.call(call).answer(['done']);
    }
    expect(recorder.batches).toEqual([[add(1)], [read()], [add(2)]]);
  });

  describe('with sizes', () => {
    const sizeOf = ({ by }: Command): number => by ?? 0;

    test('counts the bytes of what it has become', async () => {
      const { recorder, batcher } = start({ sizeOf, maxBytes: 5, concurrency: 1 });
      for (const op of [add(1), add(1, 'l'), add(2), add(1, 'm')]) void batcher.add(op);
      expect(batcher.stats().pendingBytes).toBe(5);
      await settle();
      expect(recorder.batches).toEqual([[add(3), add(1, 'l'), add(1, 'm')]]);
      await recorder.call(0).answer(['', '', '']);
      expect(batcher.stats().pendingBytes).toBe(0);
    });

    test('does not make an operation that is too large for a batch, or for the batcher', async () => {
      const { recorder, batcher } = start({ sizeOf, maxBytes: 4, maxPendingBytes: 6 });
      for (const op of [add(3), add(2)]) void batcher.add(op);
      await expect(batcher.add(add(2))).rejects.toMatchObject({ code: 'PERF_BATCH_FULL' });
      void batcher.add(add(1));
      await settle();
      await recorder.call(0).answer(['']);
      await recorder.call(1).answer(['']);
      expect(recorder.batches).toEqual([[add(3)], [add(3)]]);
      expect(batcher.stats()).toMatchObject({ pendingBytes: 0, merged: 1, refused: 1 });
    });

    test('makes room when it becomes smaller', async () => {
      const { recorder, batcher } = start({ sizeOf, maxPendingBytes: 10, concurrency: 1, merge: (_, later) => later });
      void batcher.add(add(1, 'x'));
      await settle();
      void batcher.add(add(9));
      const ready = watch(batcher.ready());
      await settle();
      expect(ready.outcome).toBeUndefined();
      void batcher.add(add(1));
      await settle();
      expect(ready.outcome).toBeDefined();
      await recorder.call(0).answer(['']);
      await recorder.call(1).answer(['']);
      expect(recorder.batches).toEqual([[add(1, 'x')], [add(1)]]);
    });

    test('ends lingering when the batch has become full', async () => {
      const { recorder, batcher } = start({ sizeOf, maxBytes: 4, linger: 1_000 });
      void batcher.add(add(2));
      await settle();
      expect(recorder.calls).toHaveLength(0);
      void batcher.add(add(2));
      await settle();
      expect(recorder.batches).toEqual([[add(4)]]);
      await recorder.call(0).answer(['']);
    });
  });

  describe('among others of its key', () => {
    const options: Partial<BatcherOptions<Command, string>> = {
      sizeOf: ({ by }) => by ?? 0,
      groupBy: () => 'all',
      linger: 1_000,
      maxBytes: 10,
      merge: (earlier, later) => (earlier.kind === later.kind ? sum(earlier, later) : undefined),
    };
    const set = (by: number): Command => ({ kind: 'set', key: 'k', by });

    test('fills the batch they will go in', async () => {
      const { recorder, batcher } = start(options);
      for (const op of [set(2), add(2), add(6)]) void batcher.add(op);
      await settle();
      expect(recorder.batches).toEqual([[set(2), add(8)]]);
      await recorder.call(0).answer(['', '']);
    });

    test('leaves nothing behind in the count of what waits', async () => {
      const { recorder, batcher } = start({ ...options, maxBytes: 8 });
      for (const op of [set(2), add(2), add(3), add(2, 'l')]) void batcher.add(op);
      await settle();
      void batcher.add(add(3, 'm'));
      await settle();
      expect(recorder.batches).toEqual([[set(2), add(5)]]);
      void batcher.flush();
      await settle();
      expect(recorder.batches[1]).toEqual([add(2, 'l'), add(3, 'm')]);
      await recorder.call(0).answer(['', '']);
      await recorder.call(1).answer(['', '']);
    });

    test('fills none as long as it waits for its key', async () => {
      const { recorder, batcher } = start(options);
      void batcher.add(add(10));
      await settle();
      for (const op of [add(2), add(7), add(3, 'l')]) void batcher.add(op);
      await settle();
      expect(recorder.batches).toEqual([[add(10)]]);
      await recorder.call(0).answer(['']);
      expect(recorder.batches).toEqual([[add(10)], [add(3, 'l')], [add(9)]]);
      await recorder.call(1).answer(['']);
      await recorder.call(2).answer(['']);
      expect(batcher.stats()).toMatchObject({ pending: 0, pendingBytes: 0, merged: 1 });
    });
  });

  describe('and callers that leave', () => {
    test('one of several leaves what it added, and hears that it may take effect', async () => {
      const { recorder, batcher } = start({ linger: 100 });
      const controller = new AbortController();
      const aborted = watch(batcher.add(add(1), { signal: controller.signal }));
      const late = watch(batcher.add(add(2), { timeout: 10 }));
      const patient = watch(batcher.add(add(3)));
      controller.abort('enough');
      await vi.advanceTimersByTimeAsync(10);
      expect(aborted.outcome).toEqual({ status: 'rejected', reason: 'enough' });
      expect(late.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_DEADLINE', outcomeUnknown: true } });
      void batcher.flush();
      await settle();
      expect(recorder.batches).toEqual([[add(6)]]);
      await recorder.call(0).answer(['6']);
      expect(patient.outcome).toEqual({ status: 'fulfilled', value: '6' });
    });

    test('all of them take it back', async () => {
      const { recorder, batcher } = start();
      const controller = new AbortController();
      const { signal } = controller;
      const both = [watch(batcher.add(add(1), { signal })), watch(batcher.add(add(2), { signal }))];
      controller.abort('enough');
      await settle();
      expect(both.map(({ outcome }) => outcome)).toEqual([
        { status: 'rejected', reason: 'enough' },
        { status: 'rejected', reason: 'enough' },
      ]);
      expect(recorder.calls).toHaveLength(0);
      expect(batcher.stats()).toMatchObject({ withdrawn: 1, pending: 0, orderingKeys: 0 });
    });
  });

  test('what close() gives up is reported once, merged', async () => {
    const { recorder, batcher } = start({ concurrency: 1 });
    const [first, second, third] = [add(1), add(2), add(3)].map((op, index) =>
      watch(batcher.add(op, index === 0 ? { priority: 1 } : undefined)),
    );
    const closing = batcher.close({ timeout: 10 });
    await vi.advanceTimersByTimeAsync(20);
    expect(await closing).toEqual({ unsent: [], unknown: [add(1), add(5)] });
    for (const each of [first, second, third])
      expect(each?.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_CLOSED' } });
    await recorder.call(0).answer(['', '']);
  });

  describe('that misbehaves', () => {
    const waits = async (
      merge: BatcherOptions<Command, string>['merge'],
      options: Partial<BatcherOptions<Command, string>> = {},
    ) => {
      const { recorder, batcher } = start({ merge, ...options });
      const first = batcher.add(add(1));
      const error = await batcher.add(add(2)).catch((reason: unknown) => reason);
      await settle();
      await recorder.call(0).answer(['1']);
      expect(await first).toBe('1');
      expect(recorder.batches).toEqual([[add(1)]]);
      expect(batcher.stats()).toMatchObject({ added: 1, merged: 0, pending: 0 });
      return error;
    };

    test('rejects the later operation alone', async () => {
      const thrown = new Error('no');
      expect(
        await waits(() => {
          throw thrown;
        }),
      ).toBe(thrown);
      expect(await waits((async () => add(3)) as never)).toEqual(
        new TypeError('`merge` must return an operation or `undefined`, got a promise'),
      );
      expect(await waits(() => add(3, 'other'))).toEqual(new TypeError('`merge` must keep the ordering key'));
      expect(await waits(() => ({ ...add(3), kind: 'set' }))).toEqual(
        new TypeError('`merge` must keep the group "add", got one of "set"'),
      );
      expect(await waits(() => read(), { groupBy: () => 'all' })).toEqual(
        new TypeError('`merge` must not make a read: its `dedupeKey` must be `undefined`'),
      );
      expect(await waits(() => add(-1), { sizeOf: ({ by }) => by ?? 0 })).toBeInstanceOf(RangeError);
    });

    test('by adding others of the key meanwhile, which come first then', async () => {
      let nested: Promise<string> | undefined;
      let asked = 0;
      const { recorder, batcher } = start({
        merge: (earlier, later) => {
          if (asked++ === 0) nested = batcher.add(add(10));
          return sum(earlier, later);
        },
      });
      const results = [batcher.add(add(1)), batcher.add(add(2))];
      await settle();
      const batch = recorder.call(0).ops;
      expect(batch.reduce((total, { by = 0 }) => total + by, 0)).toBe(13);
      await recorder.call(0).answer(batch.map(() => 'done'));
      expect(await Promise.all([...results, nested])).toEqual(['done', 'done', 'done']);
    });

    test('by adding one of the key meanwhile that has to wait for room', async () => {
      let asked = 0;
      const { recorder, batcher } = start({
        maxPending: 1,
        whenFull: 'wait',
        merge: (earlier, later) => {
          if (asked++ === 0) void batcher.add({ kind: 'set', key: 'k', by: 10 });
          return sum(earlier, later);
        },
      });
      for (const op of [add(1), add(2)]) void batcher.add(op);
      for (let call = 0; call < 3; call++) {
        await settle();
        await recorder.call(call).answer(['done']);
      }
      expect(recorder.batches).toEqual([[add(1)], [{ kind: 'set', key: 'k', by: 10 }], [add(2)]]);
    });

    test('by aborting the earlier one meanwhile', async () => {
      const controller = new AbortController();
      const { recorder, batcher } = start({
        merge: (earlier, later) => {
          controller.abort('meanwhile');
          return sum(earlier, later);
        },
      });
      const first = watch(batcher.add(add(1), { signal: controller.signal }));
      const second = watch(batcher.add(add(2)));
      await settle();
      expect(recorder.batches).toEqual([[add(2)]]);
      await recorder.call(0).answer(['2']);
      expect(first.outcome?.status).toBe('rejected');
      expect(second.outcome?.status).toBe('fulfilled');
    });

    test('by closing the batcher meanwhile', async () => {
      const { recorder, batcher } = start({
        merge: (earlier, later) => {
          void batcher.close();
          return sum(earlier, later);
        },
      });
      const first = batcher.add(add(1));
      await expect(batcher.add(add(2))).rejects.toMatchObject({ code: 'PERF_BATCH_CLOSED' });
      await settle();
      await recorder.call(0).answer(['1']);
      expect(await first).toBe('1');
    });
  });

  test('a million operations of one key are one, with constant memory', async () => {
    const { recorder, batcher } = start();
    for (let i = 0; i < 1_000_000; i++) void batcher.add(add(1));
    expect(batcher.stats()).toMatchObject({ pending: 1, merged: 999_999 });
    await settle();
    expect(recorder.batches).toEqual([[add(1_000_000)]]);
    await recorder.call(0).answer(['']);
  });

  test.each([
    ['`merge` must be a function', { merge: 'sum' as never }],
    ["`merge` needs `orderingKey`, and `order: 'key'`", { orderingKey: undefined }],
    ["`merge` needs `orderingKey`, and `order: 'key'`", { order: 'strict' as const }],
    ["`merge` needs `orderingKey`, and `order: 'key'`", { order: 'none' as const }],
  ])('%s', (message, options) => {
    expect(() => start(options)).toThrow(message);
  });
});
