import { setImmediate as nextTurn } from 'node:timers/promises';
import { jsonCodec } from '@perf/codec';
import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, type TieredCacheOptions } from '../src/index.ts';
import { FakeStore } from './fake-store.ts';

function pending<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

const clock = new ManualClock();
let store: FakeStore;
let a: TieredCache<string, string>;
let b: TieredCache<string, string>;
const make = (options: TieredCacheOptions<string, string> = {}): TieredCache<string, string> =>
  new TieredCache<string, string>({ store, clock, ttl: 1_000, ...options });

const unhandled = vi.fn();
beforeEach(() => {
  unhandled.mockClear();
  process.on('unhandledRejection', unhandled);
  store = new FakeStore(() => clock.now());
  a = make();
  b = make();
});
afterEach(async () => {
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe('two tiers', () => {
  test('what one process has loaded or set, another finds in the store', async () => {
    await a.getOrLoad('loaded', () => 'L');
    await a.set('set', 'S');
    await settle();
    const loader = vi.fn(() => 'never');
    expect([await b.getOrLoad('loaded', loader), await b.get('set')]).toEqual(['L', 'S']);
    expect(loader).not.toHaveBeenCalled();
    expect(b.stats()).toMatchObject({ storeHits: 2, misses: 0, size: 2 });
    // From then on it is in memory.
    const asked = store.countOf('getMany');
    await b.getMany(['loaded', 'set']);
    expect(store.countOf('getMany')).toBe(asked);
  });

  test.each([undefined, null, 0, '', false, NaN, new Date(5), new Map([[1, new Set([2n])]])])(
    '%s goes through the store',
    async (value) => {
      const one = new TieredCache<string, unknown>({ store });
      const two = new TieredCache<string, unknown>({ store });
      await one.set('k', value);
      expect(await two.getMany(['k'])).toEqual(new Map([['k', value]]));
    },
  );

  test('memory keeps a value no longer than the store does', async () => {
    await a.set('k', 'v');
    clock.advance(600);
    expect(await b.get('k')).toBe('v');
    clock.advance(399);
    expect(await b.get('k')).toBe('v');
    clock.advance(1);
    expect(await b.get('k')).toBeUndefined();
  });

  test('the time the store takes to answer counts', async () => {
    await a.set('k', 'v');
    clock.advance(900);
    store.after = async () => clock.advance(60);
    expect(await b.get('k')).toBe('v');
    store.after = () => undefined;
    clock.advance(40);
    expect(await b.get('k')).toBeUndefined();
  });

  test('namespaces keep caches apart, also when one is cleared', async () => {
    const other = make({ namespace: 'other' });
    await a.set('k', 'default');
    await other.set('k', 'other');
    await other.clear();
    expect(await b.get('k')).toBe('default');
    expect(await make({ namespace: 'other' }).get('k')).toBeUndefined();
  });

  test('many keys are one question and one answer to the store', async () => {
    await a.set('b', 'B');
    const loader = vi.fn((missing: readonly string[]) => new Map(missing.map((key) => [key, key.toUpperCase()])));
    const result = await b.getOrLoadMany(['a', 'b', 'c'], loader);
    await settle();
    expect([...result]).toEqual([
      ['a', 'A'],
      ['b', 'B'],
      ['c', 'C'],
    ]);
    expect(loader).toHaveBeenCalledWith(['a', 'c'], expect.anything());
    expect(store.calls.slice(1)).toEqual([
      ['getMany', ['a', 'b', 'c']],
      ['acquire', ['a', 'c']],
      ['setMany', ['a', 'c']],
    ]);
    expect([...(await make().getMany(['c', 'a', 'x']))]).toEqual([
      ['c', 'C'],
      ['a', 'A'],
    ]);
  });

  test('a codec of one’s own is used; a value it cannot carry stays in memory when it was loaded, and is refused by set', async () => {
    const one = new TieredCache<string, unknown>({ store, codec: jsonCodec });
    expect(await one.getOrLoad('k', () => 1n)).toBe(1n);
    await settle();
    expect(await one.get('k')).toBe(1n);
    expect(await new TieredCache<string, unknown>({ store, codec: jsonCodec }).get('k')).toBeUndefined();
    await one.set('k2', 'kept');
    await expect(one.set('k2', 1n)).rejects.toMatchObject({ code: 'PERF_CODEC_ENCODE' });
    expect(await one.get('k2')).toBe('kept');
  });

  test.each([Infinity, Number.MAX_VALUE, 2 ** 40])(
    'a value that may be stale for %d ms is fresh for its ttl, and no longer',
    async (staleFor) => {
      const writer = make({ staleFor, ttl: 100 });
      const reader = make({ staleFor, ttl: 100, memory: 'none' });
      await writer.set('k', 'v');
      const loader = vi.fn(() => 'new');
      expect([await reader.getOrLoad('k', loader), await reader.get('k')]).toEqual(['v', 'v']);
      expect(loader).not.toHaveBeenCalled();
      clock.advance(100);
      expect([await reader.get('k'), await writer.get('k')]).toEqual([undefined, undefined]);
      expect(await reader.getOrLoad('k', loader)).toBe('v');
      await settle();
      expect(loader).toHaveBeenCalledOnce();
      await writer.set('for ever', 'v', { ttl: Infinity });
      clock.advance(1e9);
      expect(await reader.get('for ever')).toBe('v');
    },
  );

  test.each(['before', 'after'])(
    'a batch ends with its callers %s it has found some of its keys in the store',
    async (when) => {
      await b.set('there', 'v');
      const gate = pending();
      if (when === 'before') store.after = (operation) => (operation === 'getMany' ? gate.promise : undefined);
      const controller = new AbortController();
      const seen = vi.fn();
      const batch = a.getOrLoadMany(
        ['there', 'absent'],
        (_, { signal }) => {
          seen(signal);
          return new Promise<Map<string, string>>(() => {});
        },
        { signal: controller.signal },
      );
      await settle();
      controller.abort(new Error('left'));
      await expect(batch).rejects.toThrow('left');
      gate.resolve();
      await settle();
      expect(a.stats().inFlight).toBe(0);
      if (when === 'after') expect(seen.mock.calls[0]?.[0]).toHaveProperty('aborted', true);
      else expect(seen).not.toHaveBeenCalled();
    },
  );

  test('what a batch finds in the store is not handed on for as long as it loads the rest', async () => {
    const reader = make({ memory: 'none' });
    await b.set('there', 'old');
    const gate = pending();
    const batch = reader.getOrLoadMany(['there', 'absent'], async () => {
      await gate.promise;
      return new Map([['absent', 'loaded']]);
    });
    await settle();
    await b.set('there', 'new');
    expect(await reader.getOrLoad('there', () => 'never')).toBe('new');
    clock.advance(1_000);
    expect(await reader.getOrLoad('there', () => 'after its end')).toBe('after its end');
    gate.resolve();
    expect([...(await batch)]).toEqual([
      ['there', 'old'],
      ['absent', 'loaded'],
    ]);
  });

  test('a stale value in the store is served, and refreshed', async () => {
    const one = make({ staleFor: 500 });
    const two = make({ staleFor: 500 });
    await one.set('k', 'old');
    clock.advance(1_200);
    expect(await two.get('k')).toBeUndefined();
    const loader = vi.fn(() => 'new');
    expect(await make({ staleFor: 500 }).getOrLoad('k', loader)).toBe('old');
    await settle();
    expect(loader).toHaveBeenCalledTimes(1);
    expect(loader).toHaveBeenCalledWith(expect.objectContaining({ previous: 'old' }));
    // The other process finds the refreshed value in the store instead of loading it again.
    expect(await one.getOrLoad('k', loader)).toBe('old');
    await settle();
    expect(await one.get('k')).toBe('new');
    expect(loader).toHaveBeenCalledTimes(1);
  });
});

describe('changes by another process', () => {
  test.each([
    ['delete', (): Promise<void> => b.delete('k'), undefined],
    ['set', (): Promise<void> => b.set('k', 'NEW'), 'NEW'],
    ['clear', (): Promise<void> => b.clear(), undefined],
  ])('%s during a load: the older value is written nowhere', async (_name, change, expected) => {
    const answer = pending<string>();
    const call = a.getOrLoad('k', () => answer.promise);
    await settle();
    await change();
    answer.resolve('OLD');
    expect(await call).toBe('OLD');
    await settle();
    expect(await a.get('k')).toBe(expected);
    expect(await make().get('k')).toBe(expected);
    expect(a.stats()).toMatchObject({ fenced: 1, inFlight: 0 });
  });

  test('newcomers do not join it when it has expired meanwhile, and what they load stays', async () => {
    const gate = pending();
    store.after = (operation) => (operation === 'setMany' ? gate.promise : undefined);
    expect(await a.getOrLoad('k', () => 'first', { ttl: 10 })).toBe('first');
    expect(await a.getOrLoad('k', () => 'never', { ttl: 10 })).toBe('first');
    clock.advance(10);
    expect(await a.getOrLoad('k', () => 'second')).toBe('second');
    expect(await a.getOrLoadMany(['k'], () => new Map())).toEqual(new Map([['k', 'second']]));
    gate.resolve();
    await settle();
    expect(await a.get('k')).toBe('second');
  });

  test('the loaded value is in memory only after the store has taken it; newcomers join meanwhile', async () => {
    const hold = pending();
    store.before = (operation) => (operation === 'setMany' ? hold.promise : undefined);
    const loader = vi.fn(() => 'v');
    expect(await a.getOrLoad('k', loader)).toBe('v');
    expect(a.size).toBe(0);
    expect(await a.getOrLoad('k', loader)).toBe('v');
    expect(loader).toHaveBeenCalledTimes(1);
    hold.resolve();
    await settle();
    expect([a.size, a.stats().inFlight]).toEqual([1, 0]);
  });
});

describe('changes by this process', () => {
  test.each([
    ['delete', (): Promise<void> => a.delete('k'), undefined],
    ['set', (): Promise<void> => a.set('k', 'NEW'), 'NEW'],
    ['clear', (): Promise<void> => a.clear(), undefined],
  ])(
    '%s while the loaded value is on its way to the store: it does not arrive, whichever is faster',
    async (_name, change, expected) => {
      for (const first of ['before', 'after'] as const) {
        const hold = pending();
        store[first] = (operation) => (operation === 'setMany' ? hold.promise : undefined);
        expect(await a.getOrLoad('k', () => 'OLD')).toBe('OLD');
        await settle();
        store[first] = () => undefined;
        await change();
        hold.resolve();
        await settle();
        expect(await a.get('k')).toBe(expected);
        expect(await make().get('k')).toBe(expected);
        await a.delete('k');
      }
    },
  );

  test('a value read from the store while its key is deleted is returned, not kept', async () => {
    await b.set('k', 'OLD');
    const hold = pending();
    store.after = (operation) => (operation === 'getMany' ? hold.promise : undefined);
    const read = a.get('k');
    await settle();
    await a.delete('k');
    hold.resolve();
    expect(await read).toBe('OLD');
    store.after = () => undefined;
    expect(await a.get('k')).toBeUndefined();
    expect(a.size).toBe(0);
  });

  test('changes of a key reach the store in the order they were asked for', async () => {
    const hold = pending();
    store.before = (operation) => (operation === 'setMany' ? hold.promise : undefined);
    const set = a.set('k', 'first');
    const other = a.delete('other');
    const remove = a.delete('k');
    await other;
    store.before = () => undefined;
    hold.resolve();
    await Promise.all([set, remove]);
    expect(await make().get('k')).toBeUndefined();
    expect(store.calls.map(([operation, keys]) => `${operation} ${keys.join()}`)).toEqual([
      'setMany k',
      'deleteMany other',
      'deleteMany k',
      'getMany k',
    ]);
  });

  test('clear comes after what was asked for before, and before what was asked for after', async () => {
    const hold = pending();
    store.before = (operation) => (operation === 'setMany' ? hold.promise : undefined);
    const changes = [a.set('k', 'first'), a.clear(), a.set('l', 'second')];
    await settle();
    store.before = () => undefined;
    hold.resolve();
    await Promise.all(changes);
    expect(await make().getMany(['k', 'l'])).toEqual(new Map([['l', 'second']]));
  });

  test.each([
    ['a delete', 'deleteMany', 'new', (cache: TieredCache<string, string>) => cache.delete('k')],
    ['a clear', 'clear', 'new', (cache: TieredCache<string, string>) => cache.clear()],
    [
      'a set too heavy for the memory',
      'setMany',
      'heavy',
      (cache: TieredCache<string, string>) => cache.set('k', 'heavy'),
    ],
  ] as const)(
    'a listener that asks for what is going keeps nothing outdated: %s',
    async (_, slow, expected, change) => {
      let asked: Promise<unknown> | undefined;
      const cache: TieredCache<string, string> = make({
        memory: {
          maxWeight: 3,
          weigh: (value) => value.length,
          onRemove: (key) => {
            asked ??= cache.get(key);
          },
        },
      });
      await cache.set('k', 'old');
      store.before = (operation) => (operation === slow ? settle() : undefined);
      await change(cache);
      await asked;
      expect(await cache.getOrLoad('k', () => 'new')).toBe(expected);
    },
  );

  test('a read waits for the change of its key that is under way', async () => {
    await b.set('k', 'OLD');
    const hold = pending();
    store.before = (operation) => (operation === 'deleteMany' ? hold.promise : undefined);
    const remove = a.delete('k');
    const read = a.getOrLoad('k', () => 'NEW');
    await settle();
    expect(store.countOf('getMany')).toBe(0);
    hold.resolve();
    await remove;
    expect(await read).toBe('NEW');
  });
});

describe('a store in trouble', () => {
  test('never breaks a read or a load', async () => {
    for (const operation of ['getMany', 'setMany'] as const) store.broken.add(operation);
    expect(await a.get('k')).toBeUndefined();
    expect(await a.getOrLoad('k', () => 'v')).toBe('v');
    await settle();
    expect(await a.get('k')).toBe('v');
    expect(await a.getOrLoadMany(['x'], () => new Map([['x', 'X']]))).toEqual(new Map([['x', 'X']]));
    expect(a.stats().storeFailures).toBe(3);
  });

  test('a value whose version could not be read is not written to the store', async () => {
    store.broken.add('getMany');
    await a.getOrLoad('k', () => 'v');
    await settle();
    expect(store.countOf('setMany')).toBe(0);
    expect(await a.get('k')).toBe('v');
  });

  test('a write that fails leaves the value in memory', async () => {
    store.broken.add('setMany');
    await a.getOrLoad('k', () => 'v');
    await settle();
    expect(await a.get('k')).toBe('v');
  });

  test('a store that does not answer is waited for no longer than storeTimeout', async () => {
    vi.useFakeTimers();
    store.before = () => new Promise(() => {});
    const call = a.getOrLoad('k', () => 'v');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await call).toBe('v');
    expect(await a.get('k')).toBe('v');
    const set = expect(a.set('s', 'v')).rejects.toMatchObject({
      code: 'PERF_CACHE_STORE',
      operation: 'set',
      cause: { code: 'PERF_CACHE_STORE_TIMEOUT' },
    });
    await vi.advanceTimersByTimeAsync(2_000);
    await set;
    expect(vi.getTimerCount()).toBe(2); // the sweep of the memory, and the repetition of the change
  });

  test('a set, delete or clear it does not take is a StoreError with the cause', async () => {
    for (const operation of ['setMany', 'deleteMany', 'clear'] as const) store.broken.add(operation);
    await expect(a.set('k', 'v')).rejects.toMatchObject({
      name: 'StoreError',
      code: 'PERF_CACHE_STORE',
      operation: 'set',
    });
    await expect(a.delete('k')).rejects.toMatchObject({
      operation: 'delete',
      cause: new Error('deleteMany is broken'),
    });
    await expect(a.clear()).rejects.toMatchObject({ operation: 'clear' });
  });

  test('what it did not delete does not come back to this process, and is deleted when it recovers', async () => {
    await b.set('k', 'OLD');
    store.broken.add('deleteMany');
    await expect(a.delete('k')).rejects.toThrow('failed to delete');
    expect(await a.get('k')).toBeUndefined();
    expect(a.stats().unsynced).toBe(1);
    expect(await a.getOrLoad('k', () => 'NEW')).toBe('NEW');
    await settle();
    store.broken.clear();
    // Another process still reads what could not be deleted; this one puts that right when it next has to ask.
    expect(await make().get('k')).toBe('OLD');
    clock.advance(1_000);
    await b.set('k', 'OLD');
    expect(await a.get('k')).toBeUndefined();
    expect(await make().get('k')).toBeUndefined();
    expect(a.stats().unsynced).toBe(0);
  });

  test('a set it did not take does not give way to the older value', async () => {
    await b.set('k', 'OLD');
    store.broken.add('setMany');
    await expect(a.set('k', 'NEW')).rejects.toThrow('failed to set');
    expect(await a.get('k')).toBe('NEW');
    store.broken.clear();
    clock.advance(999);
    expect(await a.get('k')).toBe('NEW');
    clock.advance(1);
    expect(await a.get('k')).toBeUndefined();
  });

  test('a clear it did not take hides everything it has, until it is cleared', async () => {
    await b.set('k', 'OLD');
    store.broken.add('clear');
    await expect(a.clear()).rejects.toThrow('failed to clear');
    expect(await a.get('k')).toBeUndefined();
    store.broken.clear();
    expect(await a.get('k')).toBeUndefined();
    await a.set('k', 'NEW');
    expect(await make().get('k')).toBe('NEW');
  });

  test('thousands of failed deletions are kept in bounded memory', async () => {
    await b.set('k0', 'OLD');
    store.broken.add('deleteMany');
    const keys = Array.from({ length: 10_001 }, (_, index) => `k${index}`);
    await expect(a.deleteMany(keys)).rejects.toThrow('failed to delete');
    store.broken.clear();
    expect(await a.get('k0')).toBeUndefined();
    expect(store.countOf('clear')).toBe(1);
  });

  test.each([
    ['no envelope', Buffer.from('something else')],
    ['an empty value', Buffer.alloc(0)],
    [
      'an envelope around bytes of another codec',
      Buffer.concat([Buffer.of(1), Buffer.alloc(8), Buffer.from(jsonCodec.encode('v'))]),
    ],
    ['an envelope around noise', Buffer.concat([Buffer.of(1), Buffer.alloc(8), Buffer.from('noise')])],
  ])('%s in the store is a miss, and overwritten', async (_what, bytes) => {
    store.corrupt('default', 'k', bytes);
    expect(await a.get('k')).toBeUndefined();
    expect(await a.getOrLoad('k', () => 'v')).toBe('v');
    await settle();
    expect(await make().get('k')).toBe('v');
  });

  test('a store that breaks the rules of the interface breaks no load', async () => {
    const odd = new TieredCache<string, string>({
      store: {
        getMany: async () => [],
        setMany: async () => [],
        deleteMany: async () => {},
        invalidateTags: async () => {},
        clear: () => {
          throw new Error('at once');
        },
      },
    });
    expect(await odd.getOrLoad('k', () => 'v')).toBe('v');
    await settle();
    expect(await odd.get('k')).toBe('v');
    await expect(odd.clear()).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
  });
});

test('close waits for what is on its way to the store', async () => {
  const hold = pending();
  store.before = (operation) => (operation === 'setMany' ? hold.promise : undefined);
  await a.getOrLoad('loaded', () => 'v');
  const set = a.set('set', 'v');
  let closed = false;
  const closing = a.close().then(() => (closed = true));
  await settle();
  expect(closed).toBe(false);
  hold.resolve();
  await closing;
  await set;
  expect(await b.getMany(['loaded', 'set'])).toEqual(
    new Map([
      ['loaded', 'v'],
      ['set', 'v'],
    ]),
  );
});
