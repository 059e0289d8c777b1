import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Batcher, DataLoader, type DataLoaderOptions } from '../src/index.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Whether all of these are gone: at once, or in a few turns of the event loop. */
async function collected(refs: readonly WeakRef<object>[]): Promise<boolean> {
  for (let turn = 0; turn < 20; turn++) {
    await new Promise(setImmediate);
    collect();
    if (refs.every((ref) => ref.deref() === undefined)) return true;
  }
  return false;
}

// First in this file: the first loader and batcher of a process are those an example is made of.
test.each<[string, () => Promise<unknown>]>([
  [
    'loaders',
    async () => {
      const loader = new DataLoader<number, number>(async (keys) => keys);
      await loader.loadMany([1, 2]);
      await loader.load(3, { signal: new AbortController().signal });
    },
  ],
  ['batchers', () => new Batcher<number, number>({ execute: (ops) => ops }).add(1)],
])('the async context of a request does not outlive its %s', async (_, work) => {
  const storage = new AsyncLocalStorage<object>();
  // A function of its own: the variables of a loop stay alive in it.
  const request = async (): Promise<WeakRef<object>> => {
    const store = {};
    await storage.run(store, work);
    return new WeakRef(store);
  };
  expect(await collected([await request(), await request()])).toBe(true);
});

test.each<[string, DataLoaderOptions<object, object>, boolean]>([
  ['without a cache', { cache: false }, false],
  ['with a cache that was cleared', {}, false],
  ['with errors that stay for a while, once the cache has dropped them', { errorTtl: 3_600_000 }, true],
])('a loader %s keeps neither keys nor values of batches that are over', async (_, options, failing) => {
  const refs: WeakRef<object>[] = [];
  const loader = new DataLoader<object, object>(async (keys) => {
    const values = keys.map(() => (failing ? new Error('none') : {}));
    for (const each of [keys, ...keys, ...values]) refs.push(new WeakRef(each));
    return values;
  }, options);
  const { signal } = new AbortController();
  await loader.loadMany([{}, {}]);
  await loader.loadMany([{}, {}], { signal });
  const gone = new AbortController();
  const aborted = loader.loadMany([{}, {}], { signal: gone.signal });
  gone.abort();
  await aborted.catch(() => {});
  loader.clearAll();
  expect(await collected(refs)).toBe(true);
  // Both outlive what was loaded with them.
  expect([loader.stats().pending, signal.aborted]).toEqual([0, false]);
});

test('callers that come and go while a batch hangs leave nothing behind', async () => {
  const loader = new DataLoader<string, string>(() => new Promise(() => {}), { cacheHits: 'immediate' });
  void loader.load('a');
  await new Promise(setImmediate);
  const call = async (): Promise<WeakRef<object>> => {
    const controller = new AbortController();
    const load = loader.load('a', { signal: controller.signal });
    controller.abort({});
    await load.catch(() => {});
    return new WeakRef(controller.signal);
  };
  const signals: WeakRef<object>[] = [];
  for (let caller = 0; caller < 100; caller++) signals.push(await call());
  expect(await collected(signals)).toBe(true);
  expect(loader.stats()).toMatchObject({ pending: 1, inFlight: 1 });
});
