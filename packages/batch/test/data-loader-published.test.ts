import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DataLoader, type DataLoaderOptions } from '../src/index.ts';

/*
 * What the published test suite of the `dataloader` package covers, in words of our own, on real time: what the other files
 * of this folder have already is not repeated.
 */

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});

afterEach(() => {
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

function recording<K, C = K>(options?: DataLoaderOptions<K, K, C>) {
  const calls: (readonly K[])[] = [];
  const loader = new DataLoader<K, K, C>(async (keys) => {
    calls.push(keys);
    return keys;
  }, options);
  return { calls, loader };
}

/** Even numbers load, odd ones do not. */
function parity() {
  const calls: (readonly number[])[] = [];
  const loader = new DataLoader<number, number>(async (keys) => {
    calls.push(keys);
    return keys.map((key) => (key % 2 === 0 ? key : new Error(`Odd: ${key}`)));
  });
  return { calls, loader };
}

test('load gives a promise of the value, and loadMany of all of them', async () => {
  const { loader } = recording<number>();
  const one = loader.load(1);
  expect(one).toBeInstanceOf(Promise);
  expect(await one).toBe(1);
  expect(await loader.loadMany([1, 2])).toEqual([1, 2]);
  expect(await loader.loadMany([])).toEqual([]);
});

test('the most keys of a batch are kept to, and duplicates take no room', async () => {
  const { calls, loader } = recording<number>({ maxBatchSize: 2 });
  expect(await Promise.all([1, 2, 3].map((key) => loader.load(key)))).toEqual([1, 2, 3]);
  expect(calls).toEqual([[1, 2], [3]]);
  const other = recording<string>({ maxBatchSize: 3 });
  const keys = ['a', 'b', 'c', 'a', 'a', 'b', 'c'];
  expect(await Promise.all(keys.map((key) => other.loader.load(key)))).toEqual(keys);
  expect(other.calls).toEqual([['a', 'b', 'c']]);
  const hits = recording<string>({ maxBatchSize: 1 });
  expect(await hits.loader.loadMany(['a', 'b', 'a'])).toEqual(['a', 'b', 'a']);
  expect(hits.calls).toEqual([['a'], ['b']]);
});

test('what follows on a hit and on a miss of one batch goes in one batch', async () => {
  const { calls, loader } = recording<string>();
  loader.prime('a', 'a');
  const [a, b] = ['a', 'b'].map(async (key) => loader.load(`then ${await loader.load(key)}`));
  expect(await Promise.all([a, b])).toEqual(['then a', 'then b']);
  expect(calls.map((keys) => keys.toSorted())).toEqual([['b'], ['then a', 'then b']]);
});

test('hits of a full batch resolve with the next one', async () => {
  const { calls, loader } = recording<string>({ maxBatchSize: 1 });
  loader.prime('a', 'a');
  const order: string[] = [];
  const say = (name: string) => (): void => void order.push(name);
  const loads = [
    loader.load('a').then(say('hit')),
    loader.load('b').then(say('b')),
    loader.load('a').then(say('hit again')),
    loader.load('c').then(say('c')),
  ];
  await Promise.all(loads);
  expect(calls).toEqual([['b'], ['c']]);
  expect(order.indexOf('b')).toBeLessThan(order.indexOf('c'));
});

test('equal keys are loaded once, ever', async () => {
  const { calls, loader } = recording<string>();
  expect(await loader.loadMany(['a', 'b', 'a'])).toEqual(['a', 'b', 'a']);
  expect(await loader.loadMany(['a', 'c'])).toEqual(['a', 'c']);
  expect(calls).toEqual([['a', 'b'], ['c']]);
});

test('clear makes one key be loaded again, clearAll all of them; both chain', async () => {
  const { calls, loader } = recording<string>();
  await loader.loadMany(['a', 'b']);
  await loader.clear('a').loadMany(['a', 'b']);
  await loader.clearAll().loadMany(['a', 'b']);
  expect(calls).toEqual([['a', 'b'], ['a'], ['a', 'b']]);
});

test('prime fills what is empty, and only that, unless it is cleared first', async () => {
  const { calls, loader } = recording<string>();
  await loader.load('b');
  loader.prime('a', 'primed').prime('b', 'ignored');
  expect(await loader.loadMany(['a', 'b'])).toEqual(['primed', 'b']);
  loader.clear('b').prime('b', 'forced').prime('promised', Promise.resolve('later'));
  expect(await loader.loadMany(['b', 'promised'])).toEqual(['forced', 'later']);
  expect(calls).toEqual([['b']]);
});

test('an Error in a place rejects its load, and is cached', async () => {
  const { calls, loader } = parity();
  const [odd, even] = await Promise.allSettled([loader.load(1), loader.load(2)]);
  expect([odd, even]).toEqual([
    { status: 'rejected', reason: new Error('Odd: 1') },
    { status: 'fulfilled', value: 2 },
  ]);
  await expect(loader.load(1)).rejects.toThrow('Odd: 1');
  expect(await loader.loadMany([1, 2])).toEqual([new Error('Odd: 1'), 2]);
  expect(calls).toEqual([[1, 2]]);
  await expect(loader.clear(1).load(1)).rejects.toThrow('Odd: 1');
  expect(calls).toEqual([[1, 2], [1]]);
});

test('a primed Error rejects; when nobody handles that, the process hears of it', async () => {
  const { calls, loader } = parity();
  loader.prime(1, new Error('primed'));
  await new Promise(setImmediate);
  expect(unhandled).toEqual([]);
  await expect(loader.load(1)).rejects.toThrow('primed');
  void loader.load(1);
  await new Promise(setImmediate);
  expect(unhandled.splice(0)).toEqual([new Error('primed')]);
  expect(calls).toEqual([]);
});

test('a load that rejects and that nobody handles is heard of too', async () => {
  void parity().loader.load(1);
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(unhandled.splice(0)).toEqual([new Error('Odd: 1')]);
});

test('a program may forget a key when its load fails', async () => {
  const { calls, loader } = parity();
  const load = async (key: number): Promise<number> =>
    loader.load(key).catch((error: unknown) => {
      loader.clear(key);
      throw error;
    });
  await expect(load(1)).rejects.toThrow('Odd: 1');
  await expect(load(1)).rejects.toThrow('Odd: 1');
  expect(calls).toEqual([[1], [1]]);
});

test('a batch that fails rejects all of its loads with one error', async () => {
  const error = new Error('down');
  const loader = new DataLoader<number, number>(() => Promise.reject(error));
  const loads = await Promise.allSettled([loader.load(1), loader.load(2)]);
  expect(loads).toEqual([1, 2].map(() => ({ status: 'rejected', reason: error })));
});

test('objects are keys by identity', async () => {
  const { calls, loader } = recording<object>();
  const [a, b] = [{ id: 1 }, { id: 1 }];
  expect(await loader.loadMany([a, b, a])).toEqual([a, b, a]);
  await loader.clear(a).loadMany([a, b]);
  expect(calls.flat().map((key) => key === a)).toEqual([true, false, true]);
});

test('batch: false loads each key by itself', async () => {
  const { calls, loader } = recording<number>({ batch: false });
  expect(await Promise.all([loader.load(1), loader.load(2)])).toEqual([1, 2]);
  expect(calls).toEqual([[1], [2]]);
});

test.each([{ cache: false }, { cacheMap: null }])(
  '%o loads every key of every call, and repeats it',
  async (options) => {
    const seen: unknown[] = [];
    const { calls, loader } = recording<string>({ ...options, cacheKeyFn: (key) => (seen.push(key), key) });
    expect(await loader.loadMany(['a', 'b', 'a'])).toEqual(['a', 'b', 'a']);
    await loader.prime('a', 'primed').clear('a').clearAll().load('a');
    expect(calls).toEqual([['a', 'b', 'a'], ['a']]);
    expect(seen).toEqual([]);
  },
);

test('cache: false leaves the cacheMap alone', async () => {
  const cacheMap = new Map([['x', Promise.resolve('x')]]);
  const { loader } = recording<string>({ cache: false, cacheMap });
  await loader.prime('a', 'a').clear('x').clearAll().load('b');
  expect([...cacheMap.keys()]).toEqual(['x']);
});

test('a loader may be cleared from its batch function: equal loads of one batch share all the same', async () => {
  const calls: (readonly string[])[] = [];
  const loader: DataLoader<string, string> = new DataLoader(async (keys) => {
    loader.clearAll();
    calls.push(keys);
    return keys;
  });
  for (let round = 0; round < 2; round++) {
    expect(await Promise.all(['a', 'b', 'a'].map((key) => loader.load(key)))).toEqual(['a', 'b', 'a']);
  }
  expect(calls).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

test('cacheKeyFn makes objects with the same content one key, to load, clear and prime', async () => {
  const cacheKeyFn = (key: Record<string, number>): string =>
    JSON.stringify(Object.entries(key).toSorted(([a], [b]) => a.localeCompare(b)));
  const { calls, loader } = recording<Record<string, number>, string>({ cacheKeyFn });
  const [one, same, other] = [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 2 }];
  expect((await loader.loadMany([one, same])).map((value) => value === one)).toEqual([true, true]);
  expect(await loader.load(same)).toBe(one);
  expect(await loader.clear(same).load(one)).toBe(one);
  expect(await loader.prime({ ...other }, other).load(other)).toBe(other);
  expect(calls).toEqual([[one], [one]]);
});

test('batches go when a scheduler of the program says so', async () => {
  let due: (() => void)[] = [];
  const dispatch = (): void => due.splice(0).forEach((callback) => callback());
  const { calls, loader } = recording<string>({ batchScheduleFn: (callback) => void due.push(callback) });
  void loader.load('a');
  void loader.load('b');
  dispatch();
  void loader.load('a');
  void loader.load('c');
  dispatch();
  void loader.load('never sent');
  expect(calls).toEqual([['a', 'b'], ['c']]);
  due = [];
});

test('loads in promise jobs, nested and mixed with ticks, go in one batch', async () => {
  const { calls, loader } = recording<string>();
  const loads: Promise<string>[] = [loader.load('a')];
  await new Promise<void>((resolve) => {
    void Promise.resolve().then(() => {
      loads.push(loader.load('b'));
      void Promise.resolve().then(() => {
        loads.push(loader.load('c'));
        void Promise.resolve().then(() => {
          loads.push(loader.load('d'));
          resolve();
        });
      });
    });
  });
  await Promise.all(loads);
  expect(calls).toEqual([['a', 'b', 'c', 'd']]);
});

test('loaders that load through one loader take one call each, of all they need', async () => {
  const deep = recording<string>();
  const calls: string[] = [];
  const through = (name: string) =>
    new DataLoader<string, unknown>(async (keys) => {
      calls.push(name);
      return Promise.all(keys.map((key) => deep.loader.load(key)));
    });
  const [a, b] = [through('a'), through('b')];
  expect(await Promise.all([a.load('1'), b.load('2'), a.load('3'), b.load('4')])).toEqual(['1', '2', '3', '4']);
  expect(calls).toEqual(['a', 'b']);
  expect(deep.calls.map((keys) => keys.toSorted())).toEqual([['1', '2', '3', '4']]);
});

test('a class may extend it: loadMany goes through its load, and callbacks see it as this', async () => {
  const seen: unknown[] = [];
  class Users extends DataLoader<string, string> {
    readonly #prefix = 'user ';

    constructor() {
      super(async function (this: unknown, keys: readonly string[]) {
        seen.push(this);
        return keys;
      });
    }

    override load(key: string): Promise<string> {
      return super.load(this.#prefix + key);
    }
  }
  const users = new Users();
  expect(await users.loadMany(['a', 'b'])).toEqual(['user a', 'user b']);
  expect(seen).toEqual([users]);
});

test('a hundred requests, each with loaders of its own, see their own context in the batch function', async () => {
  const storage = new AsyncLocalStorage<number>();
  const requests = Array.from({ length: 100 }, (_, id) =>
    storage.run(id, async () => {
      const loader = new DataLoader<string, string>(async (keys) =>
        keys.map((key) => `${key} of ${storage.getStore()}`),
      );
      await new Promise(setImmediate);
      return loader.load('a');
    }),
  );
  expect(await Promise.all(requests)).toEqual(requests.map((_, id) => `a of ${id}`));
});
