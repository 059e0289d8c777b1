import { describe, expect, test, vi } from 'vitest';
import { type BatchLoadFn, DataLoader, type DataLoaderOptions } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { setUp } from './loader-fixture.ts';
import { settle, watch } from './recorder.ts';

useFakeTime();

const must =
  'DataLoader must be constructed with a function which accepts Array<key> and returns Promise<Array<value>>, but';

describe('an answer that is no value for each key rejects every load of the batch, once, and caches nothing', () => {
  const throwing = {
    length: 2,
    get 0(): never {
      throw new Error('no reading');
    },
    1: 'b',
  };
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  test.each<[string, (keys: readonly string[]) => unknown, string]>([
    ['too few', async () => [], `${must} the function did not return a Promise of an Array of the same length`],
    [
      'too many',
      async () => ['a', 'b', 'c'],
      'of the same length as the Array of keys.\n\nKeys:\na,b\n\nValues:\na,b,c',
    ],
    ['nothing', async () => undefined, `${must} the function did not return a Promise of an Array: undefined.`],
    [
      'a Map',
      async () => new Map([['a', 1]]),
      `${must} the function did not return a Promise of an Array: [object Map].`,
    ],
    ['an object', async () => Object.create(null), 'did not return a Promise of an Array: [object Object].'],
    ['an array that throws', async () => throwing, 'no reading'],
    ['a revoked proxy', async () => revoked.proxy, 'revoked'],
    ['no promise', () => ['a', 'b'], `${must} the function did not return a Promise: a,b.`],
    ['no value at all', () => undefined, `${must} the function did not return a Promise: undefined.`],
    ['a symbol', () => Symbol('a'), `${must} the function did not return a Promise: Symbol(a).`],
    ['a throw', () => raise(new Error('at once')), `${must} the function errored synchronously: Error: at once.`],
    ['a throw of nothing', () => raise(undefined), 'the function errored synchronously: undefined.'],
    [
      'a thenable whose then cannot be read',
      () => ({
        get then(): never {
          throw new Error('no then');
        },
      }),
      'the function errored synchronously: Error: no then.',
    ],
    ['a thenable that throws', () => ({ then: () => raise(new Error('thrown by then')) }), 'thrown by then'],
    ['a rejection', () => Promise.reject(new Error('down')), 'down'],
  ])('%s', async (_, answer, message) => {
    const calls = vi.fn(answer);
    const loader = new DataLoader<string, unknown>(calls as unknown as BatchLoadFn<string, unknown>);
    const { signal } = new AbortController();
    const loads = [watch(loader.load('a')), watch(loader.load('b', { signal }))];
    await settle();
    for (const { outcome } of loads) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining(message) } });
    }
    const again = watch(loader.load('a'));
    await settle();
    expect(again.outcome?.status).toBe('rejected');
    expect(calls).toHaveBeenCalledTimes(2);
    expect(loader.stats()).toMatchObject({ pending: 0, inFlight: 0, errors: 3 });
  });

  test('a value that cannot be looked at rejects the loads of its key alone', async () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const loader = new DataLoader<string, unknown>(async (keys) => [keys[0], revoked.proxy]);
    const loads = [watch(loader.load('a')), watch(loader.load('b'))];
    await settle();
    expect(loads[0]?.outcome).toEqual({ status: 'fulfilled', value: 'a' });
    expect(loads[1]?.outcome).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('revoked') },
    });
    expect(loader.stats().pending).toBe(0);
  });

  test('a rejection with undefined is one', async () => {
    const { recorder, loader } = setUp();
    const load = watch(loader.load('a'));
    await settle();
    await recorder.call(0).fail(undefined);
    expect(load.outcome).toEqual({ status: 'rejected', reason: undefined });
  });

  test('later batches are not affected', async () => {
    let calls = 0;
    const loader = new DataLoader<string, string>(async (keys) => (++calls === 1 ? [] : keys), { maxConcurrency: 1 });
    await expect(loader.load('a')).rejects.toThrow('same length');
    expect(await loader.load('a')).toBe('a');
  });
});

test('holes are undefined, array-likes and thenables are fine, promises in the array are waited for', async () => {
  const load = (answer: unknown) => new DataLoader<number, unknown>(() => answer as never).loadMany([1, 2]);
  expect(await load(Promise.resolve(Object.assign(Array(2), { 1: 'b' })))).toEqual([undefined, 'b']);
  expect(await load(Promise.resolve({ length: 2, 0: 'a', 1: 'b' }))).toEqual(['a', 'b']);
  expect(await load({ then: (resolve: (value: unknown) => void) => resolve(['a', 'b']) })).toEqual(['a', 'b']);
  expect(await load(Promise.resolve([Promise.resolve('a'), Promise.reject(new Error('b'))]))).toEqual([
    'a',
    new Error('b'),
  ]);
});

test('an answer is read by index, as often as it said first: its iterator and its later lengths do not count', async () => {
  const load = (answer: unknown) => new DataLoader<number, unknown>(async () => answer as never).loadMany([1, 2]);
  const iterable = Object.assign(['a', 'b'], { [Symbol.iterator]: () => ['other'].values() });
  expect(await load(iterable)).toEqual(['a', 'b']);
  let reads = 0;
  const growing = {
    get length() {
      return ++reads < 4 ? 2 : 3;
    },
    0: 'a',
    1: 'b',
  };
  expect(await load(growing)).toEqual(['a', 'b']);
});

test('a value that aborts, clears and loads while it is handed out leaves nothing pending', async () => {
  const controller = new AbortController();
  const loader: DataLoader<number, unknown> = new DataLoader<number, unknown>(async (keys) => {
    const values: unknown[] = keys.map((key) => `value ${key}`);
    Object.defineProperty((values[0] = {}), 'then', {
      get() {
        if (controller.signal.aborted) return undefined;
        controller.abort('gone');
        void loader.clearAll().loadMany([1, 9]);
        return undefined;
      },
    });
    return values;
  });
  const { signal } = controller;
  const loads = [loader.load(1, { signal }), loader.load(2, { signal }), loader.load(3, { signal }), loader.load(4)];
  const settled = await Promise.allSettled(loads);
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled']);
  expect(settled[3]).toMatchObject({ value: 'value 4' });
  await vi.runAllTimersAsync();
  expect(loader.stats()).toMatchObject({ pending: 0, inFlight: 0 });
});

test('an array of values that is used again after is no matter', async () => {
  const buffer: string[] = [];
  const loader = new DataLoader<string, string>(async (keys) => {
    buffer.length = 0;
    buffer.push(...keys);
    // After it has been read, before the first caller resumes.
    queueMicrotask(() => queueMicrotask(() => buffer.fill('other')));
    return buffer;
  });
  expect(await loader.loadMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
});

test('a batch function can neither sort, empty nor fill the keys', async () => {
  for (const mutate of [
    (keys: number[]) => keys.sort((a, b) => a - b),
    (keys: number[]) => keys.splice(0),
    (keys: number[]) => keys.fill(0),
    (keys: number[]) => [keys.pop(), 0, 0],
  ]) {
    const loader = new DataLoader<number, unknown>(async (keys) => mutate(keys as number[]));
    expect(await loader.loadMany([3, 1, 2])).toEqual(Array(3).fill(expect.any(TypeError)));
  }
});

test('null and undefined are no keys; all else is, functions too', async () => {
  const loader = new DataLoader<unknown, unknown>(async (keys) => keys);
  for (const key of [null, undefined]) {
    const message = `The loader.load() function must be called with a value, but got: ${key}.`;
    expect(() => loader.load(key)).toThrow(new TypeError(message));
    expect(() => loader.load(key, { signal: AbortSignal.abort() })).toThrow(new TypeError(message));
  }
  const keys = [() => {}, DataLoader, NaN, -0, 0n, '', false, Symbol('key'), [], Object.create(null)];
  expect(await loader.loadMany(keys)).toEqual(keys);
  expect(await loader.loadMany(keys)).toEqual(keys);
  expect(loader.stats().batches).toBe(1);
});

test('an array of keys that throws when read throws from loadMany; what was loaded before it is no trouble', async () => {
  const { recorder, loader } = setUp();
  const keys = {
    length: 2,
    0: 'a',
    get 1(): never {
      throw new Error('no key');
    },
  };
  expect(() => loader.loadMany(keys)).toThrow('no key');
  await expect(loader.loadMany(keys, { signal: new AbortController().signal })).rejects.toThrow('no key');
  await settle();
  await recorder.call(0).fail(new Error('down'));
});

test.each<[unknown, string]>([
  [new Set(['a']), 'got: [object Set].'],
  ['ab', 'got: ab.'],
  [{ length: 1 }, 'got: [object Object].'],
  [{ length: -1 }, 'got: [object Object].'],
  [null, 'got: null.'],
])('loadMany(%o) is refused', (keys, message) => {
  expect(() => setUp().loader.loadMany(keys as never)).toThrow(
    new TypeError(`The loader.loadMany() function must be called with Array<key> but ${message}`),
  );
});

test('loadMany of nothing is nothing, and calls nobody', async () => {
  const { recorder, loader } = setUp();
  expect(await loader.loadMany([])).toEqual([]);
  expect(recorder.calls).toHaveLength(0);
});

test.each<[object, string]>([
  [{ maxConcurrency: 0 }, '`maxConcurrency` must be a positive integer or Infinity, got 0'],
  [{ maxConcurrency: '4' }, '`maxConcurrency` must be a positive integer or Infinity, got "4"'],
  [{ timeout: 0 }, '`timeout` must be a positive number of milliseconds or Infinity, got 0'],
  [{ errorTtl: -1 }, '`errorTtl` must be a positive number of milliseconds or Infinity, got -1'],
  [{ errorTtl: NaN }, '`errorTtl` must be a positive number of milliseconds or Infinity, got NaN'],
  [{ cacheHits: 'soon' }, "`cacheHits` must be one of 'batch', 'immediate', got \"soon\""],
  [{ clock: {} }, '`clock` must be an object with a method `now`, got an object'],
  [{ maxBatchSize: NaN }, 'maxBatchSize must be a positive number: NaN'],
  [{ maxBatchSize: Symbol('one') }, 'maxBatchSize must be a positive number: Symbol(one)'],
  [{ cacheKeyFn: Object.create(null) }, 'cacheKeyFn must be a function: [object Object]'],
])('%o is refused', (options, message) => {
  expect(() => setUp(options as DataLoaderOptions<unknown, unknown>)).toThrow(message);
});

function raise(error: unknown): never {
  throw error;
}
