import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Held, type ManyLoader, MemoryCache, TieredCache } from '../src/index.ts';

/** A promise and the two ways to settle it. */
function pending<T>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}

/** Lets everything that can go on go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const unhandled = vi.fn();
beforeEach(() => {
  unhandled.mockClear();
  process.on('unhandledRejection', unhandled);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe('get, set and delete', () => {
  test.each([undefined, null, 0, '', false, NaN])('%s is a value like any other', async (value) => {
    const cache = new TieredCache<string, unknown>();
    const loader = vi.fn(() => value);
    expect(await cache.getOrLoad('loaded', loader)).toBe(value);
    expect(await cache.getOrLoad('loaded', loader)).toBe(value);
    expect(loader).toHaveBeenCalledTimes(1);
    await cache.set('set', value);
    expect(await cache.getMany(['set', 'loaded', 'neither'])).toEqual(
      new Map([
        ['set', value],
        ['loaded', value],
      ]),
    );
    await cache.delete('set');
    expect(await cache.getMany(['set'])).toEqual(new Map());
  });

  test('primitive keys are told apart', async () => {
    const cache = new TieredCache<string | number | null | undefined | boolean | bigint, string>();
    const keys = [1, '1', 1n, '#1', '##1', '1n', true, 'true', null, 'null', undefined, 'undefined', NaN, 'NaN', '', 0];
    for (const key of keys) await cache.set(key, `${typeof key} ${String(key)}`);
    for (const key of keys) expect(await cache.get(key)).toBe(`${typeof key} ${String(key)}`);
  });

  test('a key that is no primitive is refused', async () => {
    const cache = new TieredCache<string, number>();
    for (const key of [{}, [], Symbol('s'), () => 1] as unknown as string[]) {
      await expect(cache.get(key)).rejects.toThrow(TypeError);
      await expect(cache.getOrLoad(key, () => 1)).rejects.toThrow(TypeError);
      await expect(cache.set(key, 1)).rejects.toThrow(TypeError);
      await expect(cache.delete(key)).rejects.toThrow(TypeError);
    }
  });

  test('getMany keeps the order of the keys and asks for each once', async () => {
    const cache = new TieredCache<string, number>();
    await cache.set('b', 2);
    await cache.set('a', 1);
    expect([...(await cache.getMany(['a', 'x', 'b', 'a']))]).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(cache.stats()).toMatchObject({ memoryHits: 2, misses: 1 });
  });

  test.each([new Set(['a']), 'a', undefined, { length: 1, 0: 'a' }])(
    'keys that are no array are refused: %s',
    async (keys) => {
      const cache = new TieredCache<string, string>();
      await cache.set('a', 'A');
      const refused = { name: 'TypeError', message: expect.stringContaining('`keys` must be an array') as string };
      await expect(cache.deleteMany(keys as never)).rejects.toMatchObject(refused);
      await expect(cache.getMany(keys as never)).rejects.toMatchObject(refused);
      await expect(cache.getOrLoadMany(keys as never, () => new Map())).rejects.toMatchObject(refused);
      expect(await cache.get('a')).toBe('A');
    },
  );

  test('clear removes everything', async () => {
    const cache = new TieredCache<string, number>();
    await cache.set('a', 1);
    await cache.clear();
    expect(await cache.get('a')).toBeUndefined();
  });
});

test('a value whose key is deleted while it is weighed is not kept', async () => {
  const cache: TieredCache<string, string> = new TieredCache<string, string>({
    memory: {
      maxWeight: 10,
      weigh: (value) => {
        if (value === 'old') void cache.delete('k');
        return 1;
      },
    },
  });
  expect(await cache.getOrLoad('k', () => 'old')).toBe('old');
  expect(await cache.getOrLoad('k', () => 'new')).toBe('new');
  expect(await cache.get('k')).toBe('new');
});

test('a bad ttl is refused on a hit too', async () => {
  const cache = new TieredCache<string, string>();
  await cache.set('k', 'v');
  await expect(cache.getOrLoad('k', () => 'v', { ttl: '10' as never })).rejects.toThrow(/`ttl` must be/);
});

describe('a memory of your own', () => {
  test('keeps no value longer than its ttl', async () => {
    const clock = new ManualClock();
    const memory = new MemoryCache<string, Held<number>>({ ttl: 20, clock });
    const cache = new TieredCache<string, number>({ memory, clock });
    await cache.set('k', 1);
    expect(await cache.get('k')).toBe(1);
    clock.advance(20);
    expect(await cache.get('k')).toBeUndefined();
  });
});

describe('loading', () => {
  test('many callers, one load', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<number>();
    const loader = vi.fn(() => answer.promise);
    const callers = Array.from({ length: 20 }, () => cache.getOrLoad('k', loader));
    expect(cache.stats().inFlight).toBe(1);
    answer.resolve(1);
    expect(await Promise.all(callers)).toEqual(Array.from({ length: 20 }, () => 1));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.stats()).toMatchObject({ loads: 1, coalesced: 19, misses: 1, inFlight: 0, size: 1 });
  });

  test('the loader is told the key, a signal and nothing previous', async () => {
    const cache = new TieredCache<string, number>();
    const loader = vi.fn(() => 1);
    await cache.getOrLoad('k', loader);
    expect(loader).toHaveBeenCalledWith({ key: 'k', signal: expect.any(AbortSignal), previous: undefined });
  });

  test.each([new Error('no'), undefined, null, 0, 'text'])(
    'a failure with %s is shared and not kept',
    async (reason) => {
      const cache = new TieredCache<string, number>();
      const answer = pending<number>();
      const loader = vi.fn(() => answer.promise);
      const callers = Array.from({ length: 20 }, () => cache.getOrLoad('k', loader));
      answer.reject(reason);
      const outcomes = await Promise.allSettled(callers);
      expect(outcomes).toEqual(callers.map(() => ({ status: 'rejected', reason })));
      expect(loader).toHaveBeenCalledTimes(1);
      expect(await cache.getOrLoad('k', () => 2)).toBe(2);
      expect(cache.stats()).toMatchObject({ loads: 2, loadFailures: 1, inFlight: 0 });
    },
  );

  test('a loader may throw at once', async () => {
    const cache = new TieredCache<string, number>();
    const fail = (): never => {
      throw new Error('at once');
    };
    await expect(cache.getOrLoad('k', fail)).rejects.toThrow('at once');
    expect(await cache.getOrLoad('k', () => 1)).toBe(1);
  });

  test('a bad loader is refused', async () => {
    const cache = new TieredCache<string, number>();
    await expect(cache.getOrLoad('k', 1 as never)).rejects.toThrow(/`loader` must be a function/);
    await expect(cache.getOrLoad('k', () => 1, { ttl: -1 })).rejects.toThrow(/`ttl`/);
    await expect(cache.getOrLoadMany(['k'], (() => ({})) as never)).rejects.toThrow('`loader` must return a Map');
    expect(cache.stats().inFlight).toBe(0);
  });

  test('bad options are refused by name, and nothing is loaded', async () => {
    for (const options of [{ memory: 5 }, { memory: null }, { memory: { maxsize: 1 } }, { clock: null }] as object[]) {
      expect(() => new TieredCache(options)).toThrow(/`(memory|clock)`/);
    }
    expect(() => new TieredCache({ memory: false as never })).toThrow("must be options, a MemoryCache or 'none'");
    const cache = new TieredCache<string, number>();
    const load = vi.fn(() => 1);
    for (const options of [null, { signal: null }, { signal: {} }, { tll: 5 }] as object[]) {
      await expect(cache.getOrLoad('k', load, options)).rejects.toThrow(/options object|`signal`|`tll`/);
      await expect(cache.get('k', options)).rejects.toThrow(/options object|`signal`|`tll`/);
      await expect(cache.set('k', 1, options)).rejects.toThrow(/options object|`signal`|`tll`/);
      await expect(cache.delete('k', options)).rejects.toThrow(/options object|`signal`|`tll`/);
    }
    expect(load).not.toHaveBeenCalled();
    expect(cache.size).toBe(0);
  });

  test('a loader may load other keys, and set its own', async () => {
    const cache = new TieredCache<string, number>();
    const value = await cache.getOrLoad('outer', async () => {
      await cache.set('outer', 99);
      return (await cache.getOrLoad('inner', () => 1)) + 1;
    });
    expect(value).toBe(2);
    // What was set during the load is newer than what was loaded.
    expect(await cache.get('outer')).toBe(99);
  });
});

describe('a change during a load', () => {
  const changes: [string, (cache: TieredCache<string, string>) => Promise<void>, string | undefined][] = [
    ['delete', (cache) => cache.delete('k'), undefined],
    ['deleteMany', (cache) => cache.deleteMany(['x', 'k']), undefined],
    ['clear', (cache) => cache.clear(), undefined],
    ['set', (cache) => cache.set('k', 'NEW'), 'NEW'],
  ];

  test.each(changes)('%s is not undone by the older value', async (_name, change, expected) => {
    const cache = new TieredCache<string, string>();
    const answer = pending<string>();
    const before = cache.getOrLoad('k', () => answer.promise);
    await settle();
    await change(cache);
    answer.resolve('OLD');
    expect(await before).toBe('OLD');
    await settle();
    expect(await cache.get('k')).toBe(expected);
    expect(cache.stats()).toMatchObject({ fenced: 1, inFlight: 0 });
  });

  test('later callers start a load of their own, and share it', async () => {
    const cache = new TieredCache<string, string>();
    const older = pending<string>();
    const newer = pending<string>();
    const first = cache.getOrLoad('k', () => older.promise);
    await cache.delete('k');
    const loader = vi.fn(() => newer.promise);
    const second = cache.getOrLoad('k', loader);
    // The first load ends: it must not take the second one's place with it.
    older.resolve('OLD');
    expect(await first).toBe('OLD');
    await settle();
    const third = cache.getOrLoad('k', loader);
    newer.resolve('NEW');
    expect(await Promise.all([second, third])).toEqual(['NEW', 'NEW']);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(await cache.get('k')).toBe('NEW');
  });

  test('a failure of the older load does not touch the newer value', async () => {
    const cache = new TieredCache<string, string>({ negativeTtl: 1_000 });
    const older = pending<string>();
    const first = cache.getOrLoad('k', () => older.promise);
    await cache.delete('k');
    expect(await cache.getOrLoad('k', () => 'NEW')).toBe('NEW');
    older.reject(new Error('older'));
    await expect(first).rejects.toThrow('older');
    expect(await cache.get('k')).toBe('NEW');
    expect(await cache.getOrLoad('k', () => 'again')).toBe('NEW');
  });

  test('the older failure is not remembered against the key', async () => {
    const cache = new TieredCache<string, string>({ negativeTtl: 1_000 });
    const older = pending<string>();
    const first = cache.getOrLoad('k', () => older.promise);
    await cache.delete('k');
    older.reject(new Error('older'));
    await expect(first).rejects.toThrow('older');
    expect(await cache.getOrLoad('k', () => 'NEW')).toBe('NEW');
  });
});

describe('abort', () => {
  test('a caller that leaves does so at once, with its reason, and leaves the load to the others', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<number>();
    let loaderSignal: AbortSignal | undefined;
    const loader = ({ signal }: { signal: AbortSignal }): Promise<number> => {
      loaderSignal = signal;
      return answer.promise;
    };
    const controller = new AbortController();
    const a = cache.getOrLoad('k', loader, { signal: controller.signal });
    const b = cache.getOrLoad('k', loader);
    await settle();
    const reason = { why: 'left' };
    controller.abort(reason);
    await expect(a).rejects.toBe(reason);
    expect(loaderSignal?.aborted).toBe(false);
    answer.resolve(1);
    expect(await b).toBe(1);
    expect(await cache.get('k')).toBe(1);
  });

  test('the load ends with its last caller, and leaves nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const cache = new TieredCache<string, number>({ ttl: 1_000, negativeTtl: 1_000 });
    const answer = pending<number>();
    let loaderSignal: AbortSignal | undefined;
    const controllers = [new AbortController(), new AbortController()];
    const callers = controllers.map(({ signal }) =>
      cache.getOrLoad('k', (context) => ((loaderSignal = context.signal), answer.promise), { signal }),
    );
    await settle();
    controllers[0]?.abort(new Error('first'));
    await settle();
    expect(loaderSignal?.aborted).toBe(false);
    const last = new Error('last');
    controllers[1]?.abort(last);
    await Promise.allSettled(callers);
    expect(loaderSignal?.reason).toBe(last);
    expect(cache.stats()).toMatchObject({ inFlight: 0, size: 0, loadFailures: 0 });
    expect(vi.getTimerCount()).toBe(0);
    // A loader that does not listen answers late: nobody hears it.
    answer.resolve(1);
    await settle();
    expect(cache.size).toBe(0);
    vi.useRealTimers();
    expect(await cache.getOrLoad('k', () => 2)).toBe(2);
  });

  test('a newcomer of the same moment takes the load over', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<number>();
    const controller = new AbortController();
    const loader = vi.fn(() => answer.promise);
    const a = cache.getOrLoad('k', loader, { signal: controller.signal });
    await settle();
    controller.abort();
    const b = cache.getOrLoad('k', loader);
    await expect(a).rejects.toBe(controller.signal.reason);
    answer.resolve(1);
    expect(await b).toBe(1);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('a signal that has aborted already starts nothing', async () => {
    const cache = new TieredCache<string, number>();
    const loader = vi.fn(() => 1);
    const reason = new Error('gone');
    const options = { signal: AbortSignal.abort(reason) };
    await expect(cache.getOrLoad('k', loader, options)).rejects.toBe(reason);
    await expect(cache.getOrLoadMany(['k'], () => new Map([['k', 1]]), options)).rejects.toBe(reason);
    await expect(cache.get('k', options)).rejects.toBe(reason);
    await expect(cache.set('k', 1, options)).rejects.toBe(reason);
    expect(loader).not.toHaveBeenCalled();
    expect(cache.stats()).toMatchObject({ loads: 0, size: 0 });
  });

  test('no listener stays on the signal', async () => {
    const cache = new TieredCache<string, number>();
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    for (let call = 0; call < 10; call++) await cache.getOrLoad(`k${call}`, () => 1, { signal: controller.signal });
    expect(add.mock.calls.length).toBeGreaterThan(0);
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });
});

describe('time', () => {
  test('a value is fresh for its ttl and no longer', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ ttl: 100, clock });
    let loads = 0;
    const load = (): Promise<number> => cache.getOrLoad('k', () => ++loads);
    expect(await load()).toBe(1);
    clock.advance(99);
    expect(await load()).toBe(1);
    clock.advance(1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await load()).toBe(2);
  });

  test('a call may give a ttl of its own', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ ttl: 100, clock });
    await cache.getOrLoad('loaded', () => 1, { ttl: 10 });
    await cache.set('set', 1, { ttl: 1_000 });
    clock.advance(100);
    expect([await cache.get('loaded'), await cache.get('set')]).toEqual([undefined, 1]);
  });

  test('the ttl of the memory options is the longest a value stays in memory', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ memory: { ttl: 10 }, ttl: 100, clock });
    await cache.set('k', 1);
    clock.advance(10);
    expect(await cache.get('k')).toBeUndefined();
  });

  test('a loader that takes too long is given up: LoadTimeoutError, and its signal aborts', async () => {
    vi.useFakeTimers();
    const cache = new TieredCache<string, number>({ loadTimeout: 50 });
    let loaderSignal: AbortSignal | undefined;
    const late = pending<number>();
    const call = cache.getOrLoad('k', ({ signal }) => ((loaderSignal = signal), late.promise));
    const outcome = expect(call).rejects.toMatchObject({
      code: 'PERF_CACHE_LOAD_TIMEOUT',
      name: 'LoadTimeoutError',
      timeout: 50,
      keys: ['k'],
    });
    await vi.advanceTimersByTimeAsync(50);
    await outcome;
    expect(loaderSignal?.aborted).toBe(true);
    late.resolve(1);
    await settle();
    expect(cache.stats()).toMatchObject({ size: 0, inFlight: 0, loadFailures: 1 });
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
});

describe('staleFor', () => {
  const make = (clock: ManualClock, negativeTtl?: number): TieredCache<string, number> =>
    new TieredCache<string, number>({
      ttl: 100,
      staleFor: 50,
      clock,
      ...(negativeTtl !== undefined && { negativeTtl }),
    });

  test('a stale value is served at once while one load refreshes it', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    await cache.getOrLoad('k', () => 1);
    clock.advance(100);
    expect(await cache.get('k')).toBeUndefined();
    const answer = pending<number>();
    const loader = vi.fn<(context: { previous: number | undefined }) => Promise<number>>(() => answer.promise);
    const served = await Promise.all(Array.from({ length: 20 }, () => cache.getOrLoad('k', loader)));
    expect(new Set(served)).toEqual(new Set([1]));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(loader.mock.calls[0]?.[0].previous).toBe(1);
    answer.resolve(2);
    await settle();
    expect(await cache.get('k')).toBe(2);
    expect(cache.stats()).toMatchObject({ staleHits: 20, loads: 2 });
  });

  test('the grace period is counted from the end of the ttl', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    await cache.set('k', 1);
    clock.advance(149);
    expect(await cache.getOrLoad('k', () => pending<number>().promise)).toBe(1);
    const other = make(clock);
    await other.set('k', 1);
    clock.advance(150);
    expect(await other.getOrLoad('k', () => 2)).toBe(2);
  });

  test('a refresh that fails leaves the stale value, and is not tried again at once', async () => {
    const clock = new ManualClock();
    const cache = make(clock, 10);
    await cache.set('k', 1);
    clock.advance(100);
    const loader = vi.fn(() => Promise.reject(new Error('down')));
    for (let call = 0; call < 20; call++) {
      expect(await cache.getOrLoad('k', loader)).toBe(1);
      await settle();
    }
    expect(loader).toHaveBeenCalledTimes(1);
    clock.advance(10);
    expect(await cache.getOrLoad('k', loader)).toBe(1);
    await settle();
    expect(loader).toHaveBeenCalledTimes(2);
    // After the grace period the failure is the answer.
    clock.advance(40);
    await expect(cache.getOrLoad('k', loader)).rejects.toThrow('down');
  });

  test('a change during a refresh wins, and ends the refresh', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    await cache.set('k', 1);
    clock.advance(100);
    const answer = pending<number>();
    let signal: AbortSignal | undefined;
    await cache.getOrLoad('k', (context) => ((signal = context.signal), answer.promise));
    await settle();
    await cache.set('k', 3);
    expect(signal?.aborted).toBe(true);
    answer.resolve(2);
    await settle();
    expect(await cache.get('k')).toBe(3);
  });

  test('a refresh does not hear the signal of the caller that set it off', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    await cache.set('k', 1);
    clock.advance(100);
    const answer = pending<number>();
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const loader = (context: { signal: AbortSignal }): Promise<number> => ((signal = context.signal), answer.promise);
    expect(await cache.getOrLoad('k', loader, { signal: controller.signal })).toBe(1);
    controller.abort();
    await settle();
    expect(signal?.aborted).toBe(false);
    answer.resolve(2);
    await settle();
    expect(await cache.get('k')).toBe(2);
  });

  test('callers join the refresh when the stale value is over, and may leave it', async () => {
    const clock = new ManualClock();
    const cache = make(clock);
    await cache.set('k', 1);
    clock.advance(100);
    const answer = pending<number>();
    await cache.getOrLoad('k', () => answer.promise);
    clock.advance(50);
    const controller = new AbortController();
    const leaving = cache.getOrLoad('k', () => 9, { signal: controller.signal });
    const staying = cache.getOrLoad('k', () => 9);
    controller.abort(new Error('left'));
    await expect(leaving).rejects.toThrow('left');
    answer.resolve(2);
    expect(await staying).toBe(2);
  });
});

describe('negativeTtl', () => {
  test('a failure is remembered, and a set or delete makes it forgotten', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ negativeTtl: 100, clock });
    const reason = new Error('down');
    const loader = vi.fn(() => Promise.reject(reason));
    for (let call = 0; call < 5; call++) await expect(cache.getOrLoad('k', loader)).rejects.toBe(reason);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.stats()).toMatchObject({ negativeHits: 4, loads: 1 });
    expect(await cache.get('k')).toBeUndefined();
    clock.advance(100);
    await expect(cache.getOrLoad('k', loader)).rejects.toBe(reason);
    expect(loader).toHaveBeenCalledTimes(2);
    await cache.delete('k');
    expect(await cache.getOrLoad('k', () => 1)).toBe(1);
  });

  test('failures neither weigh like values nor reach onRemove', async () => {
    const removed: unknown[] = [];
    const cache = new TieredCache<string, string>({
      negativeTtl: 100,
      memory: { maxWeight: 10, weigh: (value) => value.length, onRemove: (...args) => removed.push(args) },
    });
    await expect(cache.getOrLoad('bad', () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    await cache.set('good', 'value');
    await cache.clear();
    expect(removed).toEqual([['good', 'value', 'clear']]);
  });
});

describe('getOrLoadMany', () => {
  test('calls the loader once with exactly the keys that are absent and not under way', async () => {
    const cache = new TieredCache<string, string>();
    await cache.set('held', 'held');
    const answer = pending<string>();
    const single = cache.getOrLoad('loading', () => answer.promise);
    const loader = vi.fn((missing: readonly string[]) => new Map(missing.map((key) => [key, `many ${key}`])));
    const many = cache.getOrLoadMany(['b', 'loading', 'a', 'held', 'b'], loader);
    answer.resolve('single');
    expect([...(await many)]).toEqual([
      ['b', 'many b'],
      ['loading', 'single'],
      ['a', 'many a'],
      ['held', 'held'],
    ]);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(loader.mock.calls[0]?.[0]).toEqual(['b', 'a']);
    expect(await single).toBe('single');
  });

  test('nothing absent, no call; no keys, nothing', async () => {
    const cache = new TieredCache<string, number>();
    await cache.set('a', 1);
    const loader = vi.fn(() => new Map<string, number>());
    expect(await cache.getOrLoadMany(['a'], loader)).toEqual(new Map([['a', 1]]));
    expect(await cache.getOrLoadMany([], loader)).toEqual(new Map());
    expect(loader).not.toHaveBeenCalled();
  });

  test('a key the loader has nothing for is left out and not remembered; keys nobody asked for are ignored', async () => {
    const cache = new TieredCache<string, number>();
    const loader = vi.fn(
      () =>
        new Map([
          ['a', 1],
          ['unasked', 5],
        ]),
    );
    expect(await cache.getOrLoadMany(['a', 'b'], loader)).toEqual(new Map([['a', 1]]));
    expect(cache.size).toBe(1);
    await cache.getOrLoadMany(['a', 'b'], loader);
    expect(loader).toHaveBeenLastCalledWith(['b'], expect.anything());
  });

  test('a promise that rejects for a key nobody asked for is ignored as well', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const cache = new TieredCache<string, string>();
    const loader = (): Map<string, string | Promise<string>> =>
      new Map<string, string | Promise<string>>([
        ['a', 'A'],
        ['unasked', Promise.reject(new Error('nobody asked'))],
      ]);
    expect(await cache.getOrLoadMany(['a'], loader)).toEqual(new Map([['a', 'A']]));
    expect(await cache.getOrLoadMany(['b'], loader)).toEqual(new Map());
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test('there may be very many keys', async () => {
    const cache = new TieredCache<number, number>({ memory: { maxSize: 10 } });
    const keys = Array.from({ length: 200_000 }, (_, index) => index);
    const loader = vi.fn((missing: readonly number[]) => new Map(missing.map((key) => [key, key])));
    expect((await cache.getOrLoadMany(keys, loader)).size).toBe(keys.length);
    expect(loader).toHaveBeenCalledTimes(1);
    await cache.deleteMany(keys);
    expect(cache.stats()).toMatchObject({ size: 0, inFlight: 0 });
  });

  test('undefined is a value the loader may have', async () => {
    const cache = new TieredCache<string, number | undefined>();
    const result = await cache.getOrLoadMany(['a'], () => new Map([['a', undefined]]));
    expect([...result]).toEqual([['a', undefined]]);
  });

  test('single callers share the batch, and load alone what it has nothing for', async () => {
    const cache = new TieredCache<string, string>();
    const answer = pending<Map<string, string>>();
    const many = cache.getOrLoadMany(['a', 'b'], () => answer.promise);
    const loader = vi.fn(({ key }: { key: string }) => `single ${key}`);
    const a = cache.getOrLoad('a', loader);
    const b = cache.getOrLoad('b', loader);
    answer.resolve(new Map([['a', 'many a']]));
    expect(await many).toEqual(new Map([['a', 'many a']]));
    expect([await a, await b]).toEqual(['many a', 'single b']);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('two batches with common keys load each key once', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<void>();
    const asked: string[] = [];
    const loader = async (missing: readonly string[]): Promise<Map<string, number>> => {
      asked.push(...missing);
      await answer.promise;
      return new Map(missing.map((key) => [key, 1]));
    };
    const first = cache.getOrLoadMany(['a', 'b'], loader);
    const second = cache.getOrLoadMany(['b', 'c'], loader);
    answer.resolve();
    expect([...(await first).keys(), ...(await second).keys()]).toEqual(['a', 'b', 'b', 'c']);
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  test('a key that another batch had nothing for is loaded by the one that still wants it', async () => {
    const cache = new TieredCache<string, string>();
    const answer = pending<Map<string, string>>();
    const first = cache.getOrLoadMany(['a'], () => answer.promise);
    const second = cache.getOrLoadMany(['a', 'b'], (missing) => new Map(missing.map((key) => [key, `second ${key}`])));
    answer.resolve(new Map());
    expect(await first).toEqual(new Map());
    expect([...(await second)]).toEqual([
      ['a', 'second a'],
      ['b', 'second b'],
    ]);
  });

  test('a delete of one key during the load drops only that key', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<Map<string, number>>();
    const many = cache.getOrLoadMany(['a', 'b'], () => answer.promise);
    await settle();
    await cache.delete('a');
    answer.resolve(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    expect((await many).size).toBe(2);
    await settle();
    expect(await cache.getMany(['a', 'b'])).toEqual(new Map([['b', 2]]));
  });

  test('the batch goes on for a single caller that joined, and ends when nobody is left', async () => {
    const cache = new TieredCache<string, number>();
    const answer = pending<Map<string, number>>();
    let signal: AbortSignal | undefined;
    const loader = (_: readonly string[], context: { signal: AbortSignal }): Promise<Map<string, number>> => {
      signal = context.signal;
      return answer.promise;
    };
    const controller = new AbortController();
    const many = cache.getOrLoadMany(['a', 'b'], loader, { signal: controller.signal });
    const single = new AbortController();
    const a = cache.getOrLoad('a', () => 9, { signal: single.signal });
    await settle();
    controller.abort();
    await expect(many).rejects.toBe(controller.signal.reason);
    await settle();
    expect(signal?.aborted).toBe(false);
    single.abort();
    await expect(a).rejects.toBe(single.signal.reason);
    await settle();
    expect(signal?.aborted).toBe(true);
    expect(cache.stats()).toMatchObject({ inFlight: 0, size: 0 });
  });

  test('a failure rejects, and fails nobody else', async () => {
    const cache = new TieredCache<string, number>();
    await expect(cache.getOrLoadMany(['a', 'b'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(cache.stats().inFlight).toBe(0);
    expect(await cache.getOrLoad('a', () => 1)).toBe(1);
  });

  test('stale keys are served, and refreshed without the others', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ ttl: 100, staleFor: 100, clock });
    await cache.set('stale', 1);
    await cache.set('stale too', 1);
    clock.advance(100);
    const asked: (readonly string[])[] = [];
    const result = await cache.getOrLoadMany(['stale', 'absent', 'stale too'], (missing) => {
      asked.push(missing);
      return new Map(missing.map((key) => [key, 2]));
    });
    expect([...result]).toEqual([
      ['stale', 1],
      ['absent', 2],
      ['stale too', 1],
    ]);
    await settle();
    expect(asked).toEqual([['stale', 'stale too'], ['absent']]);
    expect(await cache.get('stale')).toBe(2);
  });

  test('previous values are there for the loader', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ ttl: 100, staleFor: 100, clock });
    await cache.set('k', 1);
    clock.advance(100);
    const loader = vi.fn<ManyLoader<string, number>>((missing) => new Map(missing.map((key) => [key, 2])));
    await cache.getOrLoadMany(['k'], loader);
    await settle();
    expect(loader.mock.calls[0]?.[1].previous).toEqual(new Map([['k', 1]]));
  });

  test('NaN is a key like any other', async () => {
    const cache = new TieredCache<number, number>();
    expect(await cache.getOrLoadMany([NaN, NaN], (missing) => new Map(missing.map((key) => [key, 1])))).toEqual(
      new Map([[NaN, 1]]),
    );
    expect(await cache.getOrLoad(NaN, () => 2)).toBe(1);
    expect(cache.stats().inFlight).toBe(0);
  });
});

describe('memory', () => {
  test('may be a cache of one’s own, for one tiered cache, and stays open', async () => {
    const memory = new MemoryCache<string, Held<number>>({ maxSize: 2 });
    const cache = new TieredCache<string, number>({ memory });
    for (const key of ['a', 'b', 'c']) await cache.set(key, 1);
    expect(memory.size).toBe(2);
    memory.resize(1);
    expect(cache.size).toBe(1);
    expect(() => new TieredCache<string, number>({ memory })).toThrow(/in use/);
    await cache.close();
    expect(memory.closed).toBe(false);
  });

  test('weigh and onRemove see values', async () => {
    const removed: unknown[] = [];
    const cache = new TieredCache<string, string>({
      memory: { maxWeight: 10, weigh: (value) => value.length, onRemove: (...args) => removed.push(args) },
    });
    await cache.set('a', 'x'.repeat(6));
    await cache.set('b', 'y'.repeat(6));
    expect(removed).toEqual([['a', 'x'.repeat(6), 'evict']]);
  });

  test('a weigher that throws breaks no load', async () => {
    const weigh = (): never => {
      throw new Error('no scales');
    };
    const cache = new TieredCache<string, number>({ memory: { weigh } });
    expect(await cache.getOrLoad('k', () => 1)).toBe(1);
    expect(cache.stats()).toMatchObject({ memoryFailures: 1, size: 0 });
    await expect(cache.set('k', 1)).rejects.toThrow('no scales');
  });
});

describe('close', () => {
  test('waits for loads, gives up refreshes, refuses new calls, and can be called again', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, number>({ ttl: 100, staleFor: 100, clock });
    await cache.set('stale', 1);
    clock.advance(100);
    let refreshSignal: AbortSignal | undefined;
    await cache.getOrLoad('stale', ({ signal }) => ((refreshSignal = signal), pending<number>().promise));
    await settle();
    const answer = pending<number>();
    const running = cache.getOrLoad('k', () => answer.promise);
    await settle();
    let closed = false;
    const closing = cache.close().then(() => (closed = true));
    expect(cache.closed).toBe(true);
    await settle();
    expect([closed, refreshSignal?.aborted]).toEqual([false, true]);
    const refused = expect.objectContaining({ code: 'PERF_CACHE_CLOSED' });
    await expect(cache.get('k')).rejects.toEqual(refused);
    await expect(cache.getOrLoad('k', () => 1)).rejects.toEqual(refused);
    await expect(cache.getOrLoadMany(['k'], () => new Map())).rejects.toEqual(refused);
    await expect(cache.set('k', 1)).rejects.toEqual(refused);
    await expect(cache.delete('k')).rejects.toEqual(refused);
    await expect(cache.clear()).rejects.toEqual(refused);
    answer.resolve(7);
    expect(await running).toBe(7);
    await closing;
    expect(cache.close()).toBe(cache.close());
    expect(cache.stats().size).toBe(0);
  });

  test('happens at the end of a block', async () => {
    let cache: TieredCache<string, number>;
    {
      await using inner = new TieredCache<string, number>();
      cache = inner;
    }
    expect(cache.closed).toBe(true);
  });
});

test('options are checked, each by name', () => {
  expect(() => new TieredCache({ ttl: 0 })).toThrow(/`ttl`/);
  expect(() => new TieredCache({ staleFor: -1 })).toThrow(/`staleFor`/);
  expect(() => new TieredCache({ negativeTtl: NaN })).toThrow(/`negativeTtl`/);
  expect(() => new TieredCache({ loadTimeout: 0 })).toThrow(/`loadTimeout`/);
  expect(() => new TieredCache({ storeTimeout: 0 })).toThrow(/`storeTimeout`/);
  expect(() => new TieredCache({ namespace: 'a:b' })).toThrow(/`namespace` must not contain a colon/);
  expect(() => new TieredCache({ store: {} as never })).toThrow(/`store` must have a method `getMany`/);
  expect(() => new TieredCache({ bus: {} as never })).toThrow(/`bus` must have a method `publish`/);
  expect(() => new TieredCache({ codec: {} as never })).toThrow(/`codec` must have a method/);
  expect(() => new TieredCache({ memory: { maxSize: 0 } })).toThrow(/`maxSize`/);
  expect(() => new TieredCache({ tll: 5 } as never)).toThrow(/no option `tll`/);
});
