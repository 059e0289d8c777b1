import { AsyncLocalStorage } from 'node:async_hooks';
import { isPerfError } from '@perf/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Batcher } from '../src/index.ts';
import { Recorder, settle, watch } from './recorder.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  vi.useFakeTimers();
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

const echo = async (ops: readonly number[]): Promise<number[]> => ops.map((op) => op * 10);

describe('a batch', () => {
  test('holds what was added in one tick, and gives each caller its own result', async () => {
    const execute = vi.fn(echo);
    const batcher = new Batcher({ execute });
    expect(await Promise.all([batcher.add(1), batcher.add(2), batcher.add(3)])).toEqual([10, 20, 30]);
    expect(execute.mock.calls.map(([ops]) => ops)).toEqual([[1, 2, 3]]);
  });

  test('takes in what promise jobs of the same tick add', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute });
    const late = Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => batcher.add(2));
    const early = batcher.add(1);
    await settle();
    expect(recorder.batches).toEqual([[1, 2]]);
    await recorder.call(0).answer([1, 2]);
    expect(await Promise.all([early, late])).toEqual([1, 2]);
  });

  test('is never sent inside add', () => {
    const execute = vi.fn(echo);
    const batcher = new Batcher({ execute, maxSize: 1 });
    void batcher.add(1);
    expect(execute).not.toHaveBeenCalled();
  });

  test('is cut at maxSize, in order', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxSize: 2 });
    void batcher.addMany([1, 2, 3, 4, 5]);
    await settle();
    expect(recorder.batches).toEqual([[1, 2], [3, 4], [5]]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('is cut at maxBytes, and an operation larger than that is sent alone', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, maxBytes: 10, sizeOf: (op) => op });
    void batcher.addMany([4, 6, 1, 50, 2, 0.5]);
    await settle();
    expect(recorder.batches).toEqual([[4, 6], [1], [50], [2, 0.5]]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('grows while all slots are busy and goes when one is free', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    void batcher.add(1);
    await settle();
    void batcher.add(2);
    await settle();
    void batcher.add(3);
    await settle();
    expect(recorder.batches).toEqual([[1]]);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2, 3]]);
    await recorder.call(1).answer([2, 3]);
  });

  test('takes in what callers add on the results that freed its slot', async () => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, concurrency: 1 });
    const chain = batcher.add(1).then(() => batcher.add(3));
    await settle();
    const waiting = batcher.add(2);
    await recorder.call(0).answer([1]);
    expect(recorder.batches).toEqual([[1], [2, 3]]);
    await recorder.call(1).answer([2, 3]);
    expect(await Promise.all([chain, waiting])).toEqual([3, 2]);
  });

  test('never exceeds the concurrency', async () => {
    let running = 0;
    let most = 0;
    const batcher = new Batcher({
      maxSize: 1,
      concurrency: 3,
      execute: async (ops: readonly number[]) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return ops;
      },
    });
    const all = batcher.addMany(Array.from({ length: 20 }, (_, index) => index));
    await vi.runAllTimersAsync();
    expect((await all).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(most).toBe(3);
  });

  test('runs outside the async context of its callers, and each caller resumes in its own', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const batcher = storage.run(
      'maker',
      () =>
        new Batcher({
          execute: async (ops: readonly number[]) => {
            seen.push(storage.getStore());
            return ops;
          },
        }),
    );
    const resumed = ['a', 'b', 'c'].map((name, index) =>
      storage.run(name, async () => {
        await batcher.add(index);
        return storage.getStore();
      }),
    );
    expect(await Promise.all(resumed)).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual(['maker']);
  });
});

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
});

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

describe('a dedupe key', () => {
  interface Command {
    readonly kind: 'read' | 'stat' | 'write';
    readonly key?: string;
  }
  const read = (key: string): Command => ({ kind: 'read', key });
  const options = (recorder: Recorder<Command, string>) => ({
    execute: recorder.execute,
    groupBy: ({ kind }: Command) => kind,
    orderingKey: ({ key }: Command) => key,
    dedupeKey: ({ kind, key }: Command) => (kind === 'write' ? undefined : (key ?? 'all')),
  });

  test('lets equal reads share one execution, waiting or being executed', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const first = batcher.add(read('k'));
    const second = batcher.add(read('k'));
    await settle();
    const third = batcher.add(read('k'));
    await settle();
    expect(recorder.batches).toEqual([[read('k')]]);
    await recorder.call(0).answer(['value']);
    expect(await Promise.all([first, second, third])).toEqual(['value', 'value', 'value']);
    expect(batcher.stats()).toMatchObject({ added: 1, shared: 2, succeeded: 1, pending: 0 });
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(2);
    await recorder.call(1).answer(['newer']);
  });

  test('does not let a read share one from before a write of its ordering key', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), concurrency: 9 });
    const before = batcher.add(read('k'));
    await settle();
    void batcher.add({ kind: 'write', key: 'k' });
    void batcher.add({ kind: 'write', key: 'other' });
    const after = [batcher.add(read('k')), batcher.add(read('k'))];
    await settle();
    await recorder.call(1).answer(['other written']);
    await recorder.call(0).answer(['old']);
    await recorder.call(2).answer(['written']);
    await recorder.call(3).answer(['new']);
    expect(recorder.calls).toHaveLength(4);
    expect(await before).toBe('old');
    expect(await Promise.all(after)).toEqual(['new', 'new']);
  });

  test('without an ordering key, does not let a read share one that began before a write was over', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), orderingKey: undefined });
    void batcher.add(read('k'));
    await settle();
    void batcher.add({ kind: 'write', key: 'k' });
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(3);
    const write = recorder.calls.findIndex(({ context }) => context.group === 'write');
    await recorder.call(write).answer(['written']);
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(4);
    for (const call of recorder.calls) await call.answer(['value']);
  });

  test('does not mix groups up', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const both = Promise.all([batcher.add(read('k')), batcher.add({ kind: 'stat', key: 'k' })]);
    await settle();
    await recorder.call(0).answer(['content']);
    await recorder.call(1).answer(['facts']);
    expect(await both).toEqual(['content', 'facts']);
  });

  test('lets one of two callers abort without the other', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const [one, two] = [new AbortController(), new AbortController()];
    const first = watch(batcher.add(read('k'), { signal: one.signal }));
    const second = watch(batcher.add(read('k'), { signal: two.signal }));
    const third = watch(batcher.add(read('k')));
    one.abort('one');
    await settle();
    two.abort('two');
    await settle();
    expect([first.outcome, second.outcome]).toEqual([
      { status: 'rejected', reason: 'one' },
      { status: 'rejected', reason: 'two' },
    ]);
    expect(recorder.call(0).context.signal.aborted).toBe(false);
    await recorder.call(0).answer(['value']);
    expect(third.outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  test('does not let a read share one that all its callers have aborted', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), orderingKey: undefined });
    const controller = new AbortController();
    const aborted = watch(batcher.add(read('k'), { signal: controller.signal }));
    await settle();
    controller.abort();
    const again = batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(2);
    await recorder.call(1).answer(['value']);
    expect(await again).toBe('value');
    expect(aborted.outcome?.status).toBe('rejected');
    await recorder.call(0).answer(['late']);
  });
});

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

describe('what execute answers', () => {
  const facts = {
    code: 'PERF_BATCH_RESULT',
    name: 'BatchResultError',
    group: 'default',
    size: 3,
    attempt: 1,
    outcomeUnknown: true,
  };

  test.each<[string, () => unknown, RegExp]>([
    ['too few results', () => [1, 2], /must return 3 results, got 2/],
    ['too many results', () => [1, 2, 3, 4], /must return 3 results, got 4/],
    ['nothing', () => undefined, /must return an array of 3 results, got undefined/],
    ['null', () => null, /got null/],
    ['a Map', () => new Map(), /got an object \(\[object Map\]\)/],
    ['an array-like object', () => ({ length: 3, 0: 1, 1: 2, 2: 3 }), /got an object/],
    ['a string', () => 'abc', /got a string/],
  ])('%s: every operation rejects, later batches do not care', async (_, answer, message) => {
    let first = true;
    const batcher = new Batcher<number, number>({
      execute: async (ops) => {
        if (!first) return ops;
        first = false;
        return answer() as number[];
      },
    });
    const outcomes = await batcher.addMany([1, 2, 3]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { ...facts, message: expect.stringMatching(message) },
      });
    }
    expect(await batcher.add(4)).toBe(4);
  });

  test('a hole or a promise in the results rejects that operation only', async () => {
    const late = Promise.reject(new Error('late'));
    const results: unknown[] = ['one'];
    results.length = 3;
    results[2] = late;
    const batcher = new Batcher<number, unknown>({ execute: async () => results });
    expect(await batcher.addMany([1, 2, 3])).toEqual([
      { status: 'fulfilled', value: 'one' },
      {
        status: 'rejected',
        reason: expect.objectContaining({ ...facts, message: expect.stringContaining('left out result 1') as string }),
      },
      {
        status: 'rejected',
        reason: expect.objectContaining({
          ...facts,
          message: expect.stringContaining('a promise as result 2') as string,
        }),
      },
    ]);
  });

  test('an explicit undefined, null or false is a result', async () => {
    const batcher = new Batcher<number, unknown>({ execute: async () => [undefined, null, false] });
    expect((await batcher.addMany([1, 2, 3])).map((outcome) => outcome.status)).toEqual(Array(3).fill('fulfilled'));
  });

  test('an Error rejects its operation with that very error, whatever realm it is of', async () => {
    const { runInNewContext } = await import('node:vm');
    const own = new RangeError('own');
    const foreign = runInNewContext('new TypeError("foreign")') as Error;
    const batcher = new Batcher<number, number>({ execute: async () => [own, 2, foreign] });
    const outcomes = await batcher.addMany([1, 2, 3]);
    expect(outcomes[0]).toEqual({ status: 'rejected', reason: own });
    expect((outcomes[2] as PromiseRejectedResult).reason).toBe(foreign);
  });

  test('an array without a promise around it will do', async () => {
    const batcher = new Batcher({ execute: (ops: readonly number[]) => ops });
    expect(await batcher.add(1)).toBe(1);
  });

  test.each<[string, () => never, unknown]>([
    ['throws', () => raise(new Error('sync')), new Error('sync')],
    ['throws nothing', () => raise(undefined), undefined],
    ['throws what cannot be printed', () => raise(Object.create(null)), Object.create(null)],
  ])('a function that %s fails its batch with an unknown outcome', async (_, execute, cause) => {
    const batcher = new Batcher<number, number>({ execute, name: 'orders', groupBy: () => 'write' });
    const [outcome] = await batcher.addMany([1, 2]);
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'PERF_BATCH_FAILED',
        name: 'BatchFailedError',
        group: 'write',
        size: 2,
        attempt: 1,
        outcomeUnknown: true,
      },
    });
    expect(((outcome as PromiseRejectedResult).reason as Error).cause).toEqual(cause);
  });

  function raise(error: unknown): never {
    throw error;
  }

  test('a rejection fails its batch, with what it rejected with as the cause', async () => {
    const cause = new Error('connection lost');
    const batcher = new Batcher<number, number>({ execute: () => Promise.reject(cause) });
    const error: unknown = await batcher.add(1).catch((reason: unknown) => reason);
    expect(isPerfError(error, 'PERF_BATCH_FAILED')).toBe(true);
    expect(error).toMatchObject({ cause, message: expect.stringContaining('connection lost') as string });
  });

  test('a function that sorts what it was given fails loudly rather than mixing results up', async () => {
    const batcher = new Batcher<number, number>({ execute: async (ops) => (ops as number[]).sort((a, b) => a - b) });
    expect(await batcher.addMany([3, 1, 2])).toEqual(
      Array(3).fill({ status: 'rejected', reason: expect.objectContaining({ code: 'PERF_BATCH_FAILED' }) as unknown }),
    );
  });

  test('nothing at all, in time: every operation rejects, the signal aborts and the slot is free', async () => {
    const signals: AbortSignal[] = [];
    let hang = true;
    const batcher = new Batcher<number, number>({
      timeout: 50,
      concurrency: 1,
      execute: (ops, { signal }) => {
        signals.push(signal);
        return hang ? new Promise(() => {}) : [...ops];
      },
    });
    const outcomes = [1, 2].map((op) => watch(batcher.add(op)));
    await vi.advanceTimersByTimeAsync(50);
    for (const { outcome } of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'PERF_BATCH_TIMEOUT', name: 'BatchTimeoutError', timeout: 50, size: 2, outcomeUnknown: true },
      });
    }
    expect(signals[0]?.aborted).toBe(true);
    hang = false;
    expect(await batcher.add(3)).toBe(3);
    expect(signals[1]?.aborted).toBe(false);
  });

  test.each(['answers', 'fails'] as const)('a function that %s after its time is not heard', async (how) => {
    const recorder = new Recorder<number>();
    const batcher = new Batcher({ execute: recorder.execute, timeout: 50 });
    const late = watch(batcher.add(1));
    await vi.advanceTimersByTimeAsync(50);
    if (how === 'answers') await recorder.call(0).answer([1]);
    else await recorder.call(0).fail(new Error('late'));
    expect(late.outcome).toMatchObject({ reason: { code: 'PERF_BATCH_TIMEOUT' } });
    expect(batcher.stats()).toMatchObject({ inFlight: 0, failed: 1, succeeded: 0 });
  });
});

describe('callbacks that throw', () => {
  test.each(['groupBy', 'orderingKey', 'dedupeKey', 'sizeOf'] as const)(
    '%s: only that operation rejects',
    async (name) => {
      const thrown = new Error(name);
      const execute = vi.fn(echo);
      const batcher = new Batcher<number, number>({
        execute,
        [name]: (op: number) => {
          if (op === 2) throw thrown;
          return name === 'sizeOf' ? 1 : `${op}`;
        },
      });
      const outcomes = await batcher.addMany([1, 2, 3]);
      expect(outcomes[0]).toEqual({ status: 'fulfilled', value: 10 });
      expect(outcomes[1]).toEqual({ status: 'rejected', reason: thrown });
      expect(outcomes[2]).toEqual({ status: 'fulfilled', value: 30 });
      expect(batcher.stats()).toMatchObject({ added: 2, pending: 0, groups: 0, orderingKeys: 0 });
    },
  );

  test.each([NaN, -1, Infinity, 'big', undefined])('sizeOf returning %s: only that operation rejects', async (size) => {
    const batcher = new Batcher<number, number>({
      execute: echo,
      sizeOf: (op) => (op === 2 ? (size as number) : 1),
      maxBytes: 9,
    });
    const outcomes = await batcher.addMany([1, 2, 3]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(String((outcomes[1] as PromiseRejectedResult).reason)).toMatch(
      /^(Range|Type)Error: `sizeOf\(op\)` must be a number/,
    );
  });

  test('groupBy returning no string: that operation rejects', async () => {
    const batcher = new Batcher<number, number>({ execute: echo, groupBy: () => 7 as unknown as string });
    await expect(batcher.add(1)).rejects.toThrow('`groupBy(op)` must be a non-empty string, got 7');
  });
});

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
