import { ManualClock } from '@perf/testkit';
import Original from 'dataloader';
import { describe, expect, test, vi } from 'vitest';
import { type CacheMap, DataLoader } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { setUp } from './loader-fixture.ts';
import { settle, watch } from './recorder.ts';

useFakeTime();

describe('errorTtl', () => {
  test('an Error for a key stays cached until its time is up; the values beside it stay', async () => {
    const clock = new ManualClock();
    const { recorder, loader } = setUp({ errorTtl: 100, clock });
    const both = loader.loadMany(['a', 'b']);
    await settle();
    await recorder.call(0).answer([new Error('no a'), 'b']);
    await both;
    clock.advance(99);
    await expect(loader.load('a')).rejects.toThrow('no a');
    clock.advance(1);
    const again = loader.loadMany(['a', 'b']);
    await settle();
    expect(recorder.call(1).ops).toEqual(['a']);
    await recorder.call(1).answer(['a']);
    expect(await again).toEqual(['a', 'b']);
    clock.advance(1000);
    expect(await loader.load('a')).toBe('a');
  });

  test('the time of an error never ends a newer value of its key', async () => {
    const clock = new ManualClock();
    const { recorder, loader } = setUp({ errorTtl: 100, clock });
    void loader.load('a').catch(() => {});
    await settle();
    await recorder.call(0).answer([new Error('no a')]);
    loader.clear('a').prime('a', 'new');
    clock.advance(100);
    expect(await loader.load('a')).toBe('new');
    expect(await loader.load('a')).toBe('new');
    expect(recorder.calls).toHaveLength(1);
  });

  test('a primed Error has its time too, and can be primed over then', async () => {
    const clock = new ManualClock();
    const { loader } = setUp({ errorTtl: 100, clock });
    loader.prime('a', new Error('primed'));
    await expect(loader.prime('a', 'ignored').load('a')).rejects.toThrow('primed');
    clock.advance(100);
    expect(await loader.prime('a', 'value').load('a')).toBe('value');
  });

  test('0 caches no Error, loaded or primed', async () => {
    const { recorder, loader } = setUp({ errorTtl: 0 });
    const load = loader.prime('a', new Error('primed')).load('a');
    await settle();
    await recorder.call(0).answer(['value']);
    expect(await load).toBe('value');
  });

  test('by default an Error stays for ever, as in the dataloader package', async () => {
    for (const Any of [DataLoader, Original]) {
      const load = vi.fn(async () => [new Error('never')]);
      const loader = new Any<string, string>(load);
      await expect(loader.load('a')).rejects.toThrow('never');
      await vi.advanceTimersByTimeAsync(1e9);
      await expect(loader.load('a')).rejects.toThrow('never');
      expect(load).toHaveBeenCalledOnce();
    }
  });

  test('errors of loads that can be aborted have their time as well', async () => {
    const clock = new ManualClock();
    const { recorder, loader } = setUp({ errorTtl: 10, clock });
    const { signal } = new AbortController();
    const load = watch(loader.load('a', { signal }));
    await settle();
    await recorder.call(0).answer([new Error('no a')]);
    expect(load.outcome?.status).toBe('rejected');
    clock.advance(10);
    const again = loader.load('a', { signal });
    await settle();
    await recorder.call(1).answer(['a']);
    expect(await again).toBe('a');
  });
});

describe("cacheHits: 'immediate'", () => {
  test('a hit does not wait for the batch, and is the cached promise', async () => {
    const { recorder, loader } = setUp({ cacheHits: 'immediate' });
    loader.prime('a', 'primed');
    const miss = loader.load('b');
    expect(await loader.load('a')).toBe('primed');
    expect(loader.load('a')).toBe(loader.load('a'));
    expect(loader.load('b')).toBe(miss);
    await settle();
    expect(loader.load('b')).toBe(miss);
    await recorder.call(0).answer(['loaded']);
    expect(await miss).toBe('loaded');
  });

  test('hits never call the scheduler; with the default they do, as in the dataloader package', async () => {
    const calls = async (Any: typeof DataLoader | typeof Original, options: object): Promise<number> => {
      const batchScheduleFn = vi.fn((callback: () => void) => void setTimeout(callback, 1));
      const loader = new Any<string, string>(async (keys) => keys, { batchScheduleFn, ...options });
      loader.prime('a', 'primed');
      const hit = loader.load('a');
      await vi.runAllTimersAsync();
      expect(await hit).toBe('primed');
      return batchScheduleFn.mock.calls.length;
    };
    expect(await calls(Original, {})).toBe(1);
    expect(await calls(DataLoader, {})).toBe(1);
    expect(await calls(DataLoader, { cacheHits: 'immediate' })).toBe(0);
  });
});

test('loads of one cached key in one batch share one promise', async () => {
  const { loader } = setUp();
  loader.prime('a', 'primed');
  const first = loader.load('a');
  expect([loader.load('a'), loader.load('a')].every((load) => load === first)).toBe(true);
  expect(await first).toBe('primed');
  const later = loader.load('a');
  expect(later).not.toBe(first);
  expect(await later).toBe('primed');
  const original = new Original<string, string>(async (keys) => keys);
  original.prime('a', 'primed');
  expect(original.load('a')).not.toBe(original.load('a'));
});

describe('a cacheMap of any kind', () => {
  /** The least recently used go, and all that is older than a while. */
  class Bounded<K, V> implements CacheMap<K, V> {
    readonly #entries = new Map<K, { readonly value: V; readonly until: number }>();
    readonly #max: number;
    readonly #ttl: number;

    constructor(max: number, ttl: number) {
      this.#max = max;
      this.#ttl = ttl;
    }

    get size(): number {
      return this.#entries.size;
    }

    get(key: K): V | undefined {
      const entry = this.#entries.get(key);
      if (entry === undefined) return undefined;
      this.#entries.delete(key);
      if (entry.until <= performance.now()) return undefined;
      this.#entries.set(key, entry);
      return entry.value;
    }

    set(key: K, value: V): void {
      this.#entries.delete(key);
      this.#entries.set(key, { value, until: performance.now() + this.#ttl });
      if (this.#entries.size > this.#max) this.delete(this.#entries.keys().next().value as K);
    }

    delete(key: K): void {
      this.#entries.delete(key);
    }

    clear(): void {
      this.#entries.clear();
    }
  }

  test('a bound and a time to live hold, also while keys are being loaded', async () => {
    const cacheMap = new Bounded<unknown, Promise<unknown>>(2, 100);
    const { recorder, loader } = setUp({ cacheMap });
    const all = loader.loadMany(['a', 'b', 'c']);
    expect(cacheMap.size).toBe(2);
    const again = loader.load('a');
    await settle();
    expect(recorder.batches).toEqual([['a', 'b', 'c', 'a']]);
    await recorder.call(0).answer([1, 2, 3, 4]);
    expect([await all, await again]).toEqual([[1, 2, 3], 4]);
    expect(await loader.load('a')).toBe(4);
    await vi.advanceTimersByTimeAsync(100);
    void loader.load('a');
    await settle();
    expect(recorder.call(1).ops).toEqual(['a']);
    await recorder.call(1).answer([5]);
  });

  test('a program may look at the promises in it, and put its own', async () => {
    const cacheMap = new Map<unknown, Promise<unknown>>([['mine', Promise.resolve('own')]]);
    const { recorder, loader } = setUp({ cacheMap });
    const load = loader.load('a');
    expect(cacheMap.get('a')).toBe(load);
    await settle();
    await recorder.call(0).answer(['value']);
    expect(await cacheMap.get('a')).toBe('value');
    expect(await loader.load('mine')).toBe('own');
  });

  test('a value in it that is no promise is a hit all the same', async () => {
    const cacheMap = new Map<unknown, Promise<unknown>>([['a', 'plain' as never]]);
    for (const cacheHits of ['batch', 'immediate'] as const) {
      expect(await setUp({ cacheMap, cacheHits }).loader.load('a')).toBe('plain');
    }
  });

  test('loaders may share one', async () => {
    const cacheMap = new Map<unknown, Promise<unknown>>();
    const [one, other] = [setUp({ cacheMap }), setUp({ cacheMap })];
    const first = one.loader.load('a');
    const second = watch(other.loader.load('a'));
    await settle();
    expect(other.recorder.calls).toHaveLength(0);
    await one.recorder.call(0).answer(['value']);
    await first;
    await settle();
    expect(second.outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });
});

test('stats() tells what was loaded, what was cached, and what is under way', async () => {
  const { recorder, loader } = setUp({ maxConcurrency: 1 });
  loader.prime('cached', 1);
  void loader.loadMany(['a', 'b', 'a', 'cached']);
  expect(loader.stats()).toEqual({
    loads: 4,
    hits: 2,
    pending: 2,
    inFlight: 0,
    batches: 0,
    errors: 0,
    withdrawn: 0,
  });
  await settle();
  expect(loader.stats()).toMatchObject({ pending: 2, inFlight: 1, batches: 1 });
  await recorder.call(0).answer([new Error('no a'), 'b']);
  expect(loader.stats()).toMatchObject({ pending: 0, inFlight: 0, errors: 1 });
  void loader.load('c').catch(() => {});
  await settle();
  await recorder.call(1).fail(new Error('down'));
  expect(loader.stats()).toMatchObject({ loads: 5, pending: 0, errors: 2, batches: 2 });
});
