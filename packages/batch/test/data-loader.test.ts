import { AsyncLocalStorage } from 'node:async_hooks';
import { runInNewContext } from 'node:vm';
import Original from 'dataloader';
import { describe, expect, test, vi } from 'vitest';
import { DataLoader } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { setUp } from './loader-fixture.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('what the dataloader package does', () => {
  test('loads of one tick go in one batch, those of promise jobs included', async () => {
    const { recorder, loader } = setUp();
    const late = Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => loader.load('c'));
    const early = [loader.load('a'), loader.load('b')];
    await settle();
    expect(recorder.batches).toEqual([['a', 'b', 'c']]);
    await recorder.call(0).answer([1, 2, 3]);
    expect(await Promise.all([...early, late])).toEqual([1, 2, 3]);
  });

  test('a loader that loads through another takes two calls', async () => {
    const inner = vi.fn(async (keys: readonly string[]) => keys.map((key) => `value of ${key}`));
    const innerLoader = new DataLoader(inner);
    const outer = vi.fn(async (keys: readonly string[]) => innerLoader.loadMany(keys));
    const outerLoader = new DataLoader(outer);
    expect(await outerLoader.loadMany(['a', 'b'])).toEqual(['value of a', 'value of b']);
    expect([outer, inner].map(({ mock }) => mock.calls.map(([keys]) => keys))).toEqual([[['a', 'b']], [['a', 'b']]]);
  });

  test('a cached value waits for the batch loads of its tick are in', async () => {
    const { recorder, loader } = setUp();
    loader.prime('a', 'primed');
    const hit = watch(loader.load('a'));
    const miss = watch(loader.load('b'));
    await settle();
    expect(hit.outcome).toBeUndefined();
    await recorder.call(0).answer(['loaded']);
    expect([hit.outcome, miss.outcome]).toEqual([
      { status: 'fulfilled', value: 'primed' },
      { status: 'fulfilled', value: 'loaded' },
    ]);
  });

  test('falsy values and keys of any kind are cached', async () => {
    const { recorder, loader } = setUp();
    const keys = [NaN, 0, '', false, 10n, Symbol('key'), {}];
    const values = [undefined, null, 0, '', false, NaN, 0n];
    const first = Promise.all(keys.map((key) => loader.load(key)));
    await settle();
    await recorder.call(0).answer(values);
    expect(await first).toEqual(values);
    expect(await loader.loadMany(keys)).toEqual(values);
    expect(recorder.calls).toHaveLength(1);
  });

  test('an Error for a key stays cached, a failed batch does not', async () => {
    const { recorder, loader } = setUp();
    const key = watch(loader.load('a'));
    await settle();
    await recorder.call(0).answer([new Error('no a')]);
    expect(key.outcome?.status).toBe('rejected');
    await expect(loader.load('a')).rejects.toThrow('no a');
    const failed = watch(loader.load('b'));
    await settle();
    await recorder.call(1).fail(new Error('down'));
    expect(failed.outcome).toEqual({ status: 'rejected', reason: new Error('down') });
    const again = loader.load('b');
    await settle();
    await recorder.call(2).answer(['b']);
    expect(await again).toBe('b');
  });

  test('callbacks see the loader as this', async () => {
    const seen: unknown[] = [];
    const loader: DataLoader<number, number> = new DataLoader(
      async function (this: unknown, keys: readonly number[]) {
        seen.push(this);
        return keys;
      },
      {
        cacheKeyFn(this: unknown, key: number) {
          seen.push(this);
          return key;
        },
        batchScheduleFn(this: unknown, callback: () => void) {
          seen.push(this);
          callback();
        },
      },
    );
    await loader.load(1);
    expect(seen.every((each) => each === loader)).toBe(true);
    expect(seen).toHaveLength(3);
  });

  test('the name is null, or what was given', () => {
    expect(setUp().loader.name).toBeNull();
    expect(setUp({ name: 'users' }).loader.name).toBe('users');
  });
});

describe('what it does better', () => {
  test('a failed batch leaves the newer value of a key that was cleared and loaded again', async () => {
    async function calls(Loader: typeof DataLoader<string, string> | typeof Original<string, string>): Promise<number> {
      const recorder = new Recorder<string>();
      const loader = new Loader((keys) => recorder.execute(keys, {} as never));
      const old = watch(loader.load('a'));
      await settle();
      loader.clear('a');
      const newer = watch(loader.load('a'));
      await settle();
      await recorder.call(0).fail(new Error('late failure'));
      void loader.load('a');
      await settle();
      for (const call of recorder.calls.slice(1)) await call.answer(['new']);
      expect(old.outcome?.status).toBe('rejected');
      expect(newer.outcome).toEqual({ status: 'fulfilled', value: 'new' });
      return recorder.calls.length;
    }
    expect(await calls(DataLoader)).toBe(2);
    expect(await calls(Original)).toBe(3);
  });

  test('a batch function that sorts the keys fails loudly', async () => {
    const loader = new DataLoader<number, number>(async (keys) => (keys as number[]).sort((a, b) => a - b));
    expect(await loader.loadMany([3, 1, 2])).toEqual(Array(3).fill(expect.any(TypeError)));
    const mixesUp = new Original<number, number>(async (keys) => (keys as number[]).sort((a, b) => a - b));
    expect(await mixesUp.loadMany([3, 1, 2])).toEqual([1, 2, 3]);
  });

  test('an Error of another realm rejects, loaded or primed', async () => {
    const foreign = runInNewContext('new Error("foreign")') as Error;
    const { recorder, loader } = setUp();
    const loaded = watch(loader.load('a'));
    await settle();
    await recorder.call(0).answer([foreign]);
    expect(loaded.outcome).toEqual({ status: 'rejected', reason: foreign });
    await expect(loader.prime('b', foreign).load('b')).rejects.toBe(foreign);
  });

  test('errorTtl: 0 forgets the Error of a key', async () => {
    const { recorder, loader } = setUp({ errorTtl: 0 });
    const both = loader.loadMany(['a', 'b']);
    await settle();
    await recorder.call(0).answer([new Error('no a'), 'b']);
    await both;
    const again = loader.loadMany(['a', 'b']);
    await settle();
    expect(recorder.call(1).ops).toEqual(['a']);
    await recorder.call(1).answer(['a']);
    expect(await again).toEqual(['a', 'b']);
  });

  test('timeout rejects a batch that never settles, and forgets it', async () => {
    const { recorder, loader } = setUp({ timeout: 100, maxConcurrency: 1, name: 'users' });
    const hanging = watch(loader.load('a'));
    await settle();
    const next = watch(loader.load('b'));
    await vi.advanceTimersByTimeAsync(100);
    expect(hanging.outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'PERF_BATCH_TIMEOUT', group: 'users', size: 1, timeout: 100 },
    });
    await recorder.call(1).answer(['b']);
    expect(next.outcome?.status).toBe('fulfilled');
    // Too late: nobody hears it, and nothing of it is cached.
    await recorder.call(0).answer(['late']);
    const again = loader.load('a');
    await settle();
    await recorder.call(2).answer(['a']);
    expect(await again).toBe('a');
  });

  test('maxConcurrency bounds the batches, and those that wait grow', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 2, maxBatchSize: 3 });
    const results = [];
    for (let key = 0; key < 5; key++) {
      results.push(loader.load(key));
      await settle();
    }
    expect(recorder.batches).toEqual([[0], [1]]);
    await recorder.call(1).answer(['1']);
    expect(recorder.batches).toEqual([[0], [1], [2, 3, 4]]);
    await recorder.call(0).answer(['0']);
    await recorder.call(2).answer(['2', '3', '4']);
    expect(await Promise.all(results)).toEqual(['0', '1', '2', '3', '4']);
  });

  test('what callers load when a batch is done goes along with what waits', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 1 });
    const chain = loader.load('a').then(() => loader.load('c'));
    await settle();
    const waiting = loader.load('b');
    await settle();
    await recorder.call(0).answer(['a']);
    expect(recorder.batches).toEqual([['a'], ['b', 'c']]);
    await recorder.call(1).answer(['b', 'c']);
    expect(await Promise.all([chain, waiting])).toEqual(['c', 'b']);
  });

  test('maxConcurrency holds for a hundred batches at once, in order', async () => {
    let running = 0;
    let most = 0;
    const sent: number[] = [];
    const loader = new DataLoader<number, number>(
      async (keys) => {
        sent.push(...keys);
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        return keys;
      },
      { maxConcurrency: 4, maxBatchSize: 10 },
    );
    const keys = Array.from({ length: 1000 }, (_, index) => index);
    const all = loader.loadMany(keys);
    await vi.runAllTimersAsync();
    expect(await all).toEqual(keys);
    expect(sent).toEqual(keys);
    expect(most).toBe(4);
  });

  test('a hit does not wait for a slot when its batch has nothing to load', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 1 });
    loader.prime('a', 'primed');
    void loader.load('b');
    await settle();
    expect(await loader.load('a')).toBe('primed');
    await recorder.call(0).answer(['b']);
  });

  test('equal loads of one batch share one promise, also once it is full', async () => {
    const { recorder, loader } = setUp({ maxBatchSize: 2 });
    const [a, b] = [loader.load('a'), loader.load('b')];
    expect([loader.load('a'), loader.load('b')]).toEqual([a, b]);
    expect(loader.load('a')).toBe(a);
    const c = loader.load('c');
    expect(loader.load('c')).toBe(c);
    await settle();
    expect(recorder.batches).toEqual([['a', 'b'], ['c']]);
    for (const call of recorder.calls) await call.answer(call.ops);
  });

  test('cacheKeyFn throwing rejects that load only, and opens no batch', async () => {
    const batchScheduleFn = vi.fn((callback: () => void) => void setTimeout(callback, 0));
    const recorder = new Recorder<string>();
    const loader = new DataLoader<string, string>((keys) => recorder.execute(keys, {} as never), {
      batchScheduleFn,
      cacheKeyFn: (key) => {
        if (key === 'bad') throw new Error('bad key');
        return key;
      },
    });
    await expect(loader.load('bad')).rejects.toThrow('bad key');
    expect(batchScheduleFn).not.toHaveBeenCalled();
    const many = loader.loadMany(['a', 'bad', 'b']);
    await settle();
    await recorder.call(0).answer(['a', 'b']);
    expect(await many).toEqual(['a', new Error('bad key'), 'b']);
  });

  test.each(['get', 'set', 'delete'] as const)('a cacheMap whose %s throws leaves nobody waiting', async (method) => {
    const cacheMap = new Map<unknown, Promise<unknown>>();
    const { recorder, loader } = setUp({ cacheMap });
    vi.spyOn(cacheMap, method).mockImplementation(() => {
      throw new Error(`${method} failed`);
    });
    const outcome = watch(loader.load('a'));
    await settle();
    for (const call of recorder.calls) await call.fail(new Error('down'));
    expect(outcome.outcome).toEqual({
      status: 'rejected',
      reason: new Error(method === 'delete' ? 'down' : `${method} failed`),
    });
  });

  test('a scheduler may call back at once, twice, or throw', async () => {
    const atOnce = setUp({ batchScheduleFn: (callback) => callback() });
    const both = atOnce.loader.loadMany(['a', 'b']);
    expect(atOnce.recorder.batches).toEqual([['a'], ['b']]);
    for (const call of atOnce.recorder.calls) await call.answer(call.ops);
    expect(await both).toEqual(['a', 'b']);

    const twice = setUp({
      batchScheduleFn: (callback) => {
        setTimeout(callback, 1);
        setTimeout(callback, 2);
      },
    });
    void twice.loader.load('a');
    await vi.advanceTimersByTimeAsync(2);
    expect(twice.recorder.calls).toHaveLength(1);
    await twice.recorder.call(0).answer(['a']);

    const broken = setUp({
      batchScheduleFn: () => {
        throw new Error('no schedule');
      },
    });
    await expect(broken.loader.load('a')).rejects.toThrow('no schedule');
    await expect(broken.loader.load('a')).rejects.toThrow('no schedule');
  });

  test('messages can be made of keys and values that cannot be printed', async () => {
    const loader = new DataLoader<unknown, unknown>(async () => []);
    await expect(loader.load(Object.create(null))).rejects.toThrow('same length as the Array of keys');
  });

  test('the batch function runs in the context of the loader, and each caller resumes in its own', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const loader = storage.run(
      'maker',
      () =>
        new DataLoader<string, string>(async (keys) => {
          seen.push(storage.getStore());
          return keys;
        }),
    );
    const resumed = ['x', 'y'].map((name) =>
      storage.run(name, async () => {
        await loader.load(name);
        return storage.getStore();
      }),
    );
    expect(await Promise.all(resumed)).toEqual(['x', 'y']);
    expect(seen).toEqual(['maker']);
  });
});
