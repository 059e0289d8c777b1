import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '@perf/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type LoadManyError, TieredCache } from '../src/index.ts';
import { earliestRefresh, isEarlyRefreshDue } from '../src/early-refresh.ts';
import { FakeStore } from './fake-store.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

describe('early refresh', () => {
  test('is never due before its earliest time, and always at the end', () => {
    const refresh = { freshUntil: 10_000, cost: 10, eagerness: 1 };
    const earliest = earliestRefresh(refresh);
    expect(earliest).toBeGreaterThan(9_000);
    vi.spyOn(Math, 'random').mockReturnValue(1 - 2 ** -53);
    expect(isEarlyRefreshDue(refresh, earliest)).toBe(false);
    expect(isEarlyRefreshDue(refresh, earliest + 10)).toBe(true);
    vi.spyOn(Math, 'random').mockReturnValue(0);
    expect(isEarlyRefreshDue(refresh, 9_999)).toBe(false);
    expect(isEarlyRefreshDue(refresh, 10_000)).toBe(true);
  });

  test('comes as early as the paper says: by the cost times the eagerness on average, for one draw', () => {
    const refresh = { freshUntil: 0, cost: 50, eagerness: 2 };
    let due = 0;
    for (let draw = 0; draw < 20_000; draw++) if (isEarlyRefreshDue(refresh, -100)) due++;
    // exp(-1) of the draws reach over the mean.
    expect(due / 20_000).toBeCloseTo(Math.exp(-1), 1);
  });

  test('what never ends, cost nothing or is not to be refreshed has no early time', () => {
    expect(earliestRefresh({ freshUntil: Infinity, cost: 10, eagerness: 1 })).toBe(Infinity);
    expect(earliestRefresh({ freshUntil: 5, cost: 0, eagerness: 1 })).toBe(5);
    expect(earliestRefresh({ freshUntil: 5, cost: 10, eagerness: 0 })).toBe(5);
  });

  test.each([true, false])(
    'replaces a value before it ends, while callers get the old one (store: %s)',
    async (withStore) => {
      const clock = new ManualClock();
      const store = new FakeStore(() => clock.now());
      const cache = new TieredCache<string, string>({
        clock,
        ttl: 1_000,
        refreshAhead: 1,
        ...(withStore && { store }),
      });
      const load = (value: string) => async (): Promise<string> => {
        clock.advance(100);
        return value;
      };
      vi.spyOn(Math, 'random').mockReturnValue(1 - Math.exp(-3));
      expect(await cache.getOrLoad('k', load('first'))).toBe('first');
      await settle();
      clock.advance(600);
      const second = vi.fn(load('second'));
      // Three times the cost before the end: not yet.
      expect(await cache.getOrLoad('k', second)).toBe('first');
      await settle();
      expect(second).not.toHaveBeenCalled();
      clock.advance(100);
      const calls = Array.from({ length: 10 }, () => cache.getOrLoad('k', second));
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['first']));
      await settle();
      expect(second).toHaveBeenCalledTimes(1);
      expect(second.mock.calls[0]).toMatchObject([{ previous: 'first' }]);
      clock.advance(500);
      expect(await cache.getOrLoad('k', load('third'))).toBe('second');
      expect(cache.stats()).toMatchObject({ staleHits: 0 });
    },
  );

  test('knows the cost of a value that another process has loaded', async () => {
    const clock = new ManualClock();
    const store = new FakeStore(() => clock.now());
    const make = (): TieredCache<string, string> =>
      new TieredCache<string, string>({ clock, store, ttl: 1_000, refreshAhead: 1 });
    const [a, b] = [make(), make()];
    await a.getOrLoad('k', async () => {
      clock.advance(200);
      return 'first';
    });
    await settle();
    expect(await b.getOrLoad('k', () => 'never')).toBe('first');
    clock.advance(900);
    vi.spyOn(Math, 'random').mockReturnValue(1 - Math.exp(-1));
    expect(await b.getOrLoad('k', () => 'second')).toBe('first');
    await settle();
    expect(await b.get('k')).toBe('second');
  });

  test('that fails leaves the value, and is not tried again at once', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, string>({ clock, ttl: 10_000, refreshAhead: 1 });
    await cache.getOrLoad('k', async () => {
      clock.advance(1_000);
      return 'v';
    });
    vi.spyOn(Math, 'random').mockReturnValue(1 - Math.exp(-20));
    const failing = vi.fn(() => Promise.reject(new Error('no')));
    for (let call = 0; call < 5; call++) {
      expect(await cache.getOrLoad('k', failing)).toBe('v');
      await settle();
    }
    expect(failing).toHaveBeenCalledTimes(1);
    clock.advance(1_000);
    await cache.getOrLoad('k', failing);
    expect(failing).toHaveBeenCalledTimes(2);
  });
});

describe('softTimeout', () => {
  const make = (store?: FakeStore): TieredCache<string, string> =>
    new TieredCache<string, string>({ ttl: 100, staleFor: 10_000, softTimeout: 50, ...(store && { store }) });
  const after = (ms: number, value: string) => (): Promise<string> =>
    new Promise((resolve) => setTimeout(resolve, ms, value));

  test('waits for the fresh value, but no longer, and then serves the stale one', async () => {
    vi.useFakeTimers();
    const cache = make();
    await cache.set('k', 'old');
    await vi.advanceTimersByTimeAsync(100);
    const quick = cache.getOrLoad('k', after(30, 'new'));
    await vi.advanceTimersByTimeAsync(30);
    expect(await quick).toBe('new');
    await vi.advanceTimersByTimeAsync(100);
    const slow = cache.getOrLoad('k', after(500, 'newer'));
    await vi.advanceTimersByTimeAsync(50);
    expect(await slow).toBe('new');
    await vi.advanceTimersByTimeAsync(450);
    expect(await cache.get('k')).toBe('newer');
    await cache.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a refresh that fails in time is no error: the stale value is served', async () => {
    vi.useFakeTimers();
    const cache = make();
    await cache.set('k', 'old');
    await vi.advanceTimersByTimeAsync(100);
    expect(await cache.getOrLoad('k', () => Promise.reject(new Error('no')))).toBe('old');
  });

  test('holds for what is stale in the store as well', async () => {
    vi.useFakeTimers();
    const store = new FakeStore(() => performance.now());
    await make(store).set('k', 'old');
    await vi.advanceTimersByTimeAsync(100);
    const quick = make(store).getOrLoad('k', after(30, 'new'));
    await vi.advanceTimersByTimeAsync(30);
    expect(await quick).toBe('new');
    await vi.advanceTimersByTimeAsync(100);
    const slow = make(store).getOrLoad('k', after(500, 'newer'));
    await vi.advanceTimersByTimeAsync(50);
    expect(await slow).toBe('new');
  });

  test('a caller that aborts meanwhile leaves with its reason', async () => {
    vi.useFakeTimers();
    const cache = make();
    await cache.set('k', 'old');
    await vi.advanceTimersByTimeAsync(100);
    const controller = new AbortController();
    const call = expect(cache.getOrLoad('k', after(500, 'new'), { signal: controller.signal })).rejects.toBe('bored');
    controller.abort('bored');
    await call;
    await vi.advanceTimersByTimeAsync(500);
    expect(await cache.get('k')).toBe('new');
  });
});

describe('refresh', () => {
  test('loads anew whatever there is, in both tiers, while others get the old value', async () => {
    const store = new FakeStore();
    const [a, b] = [new TieredCache<string, string>({ store }), new TieredCache<string, string>({ store })];
    await a.set('k', 'old');
    const held = Promise.withResolvers<string>();
    const loader = vi.fn(() => held.promise);
    const refresh = a.refresh('k', loader);
    await settle();
    expect(loader.mock.calls[0]).toMatchObject([{ key: 'k', previous: 'old' }]);
    expect(await a.getOrLoad('k', () => 'another')).toBe('old');
    held.resolve('new');
    expect(await refresh).toBe('new');
    await settle();
    expect([await a.get('k'), await b.get('k')]).toEqual(['new', 'new']);
  });

  test('does not take the result of a load that began before it', async () => {
    const cache = new TieredCache<string, string>();
    const held = Promise.withResolvers<string>();
    const early = cache.getOrLoad('k', () => held.promise);
    const refresh = cache.refresh('k', () => 'new');
    expect(await refresh).toBe('new');
    held.resolve('old');
    expect(await early).toBe('old');
    expect(await cache.get('k')).toBe('new');
  });

  test('that fails rejects, and what there was stays', async () => {
    const cache = new TieredCache<string, string>({ negativeTtl: 1_000 });
    await cache.set('k', 'old');
    await expect(cache.refresh('k', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await cache.get('k')).toBe('old');
  });

  test('is undone by a change meanwhile', async () => {
    const store = new FakeStore();
    const cache = new TieredCache<string, string>({ store });
    await cache.set('k', 'old');
    const held = Promise.withResolvers<string>();
    const refresh = cache.refresh('k', () => held.promise);
    await settle();
    await cache.delete('k');
    held.resolve('new');
    expect(await refresh).toBe('new');
    await settle();
    expect(await cache.get('k')).toBeUndefined();
  });

  test('takes no bad loader, key or option', async () => {
    const cache = new TieredCache<string, string>();
    await expect(cache.refresh('k', 1 as never)).rejects.toThrow(/`loader` must be a function/);
    await expect(cache.refresh({} as never, () => 'v')).rejects.toThrow(TypeError);
    await expect(cache.refresh('k', () => 'v', { ttl: -1 })).rejects.toThrow(/`ttl`/);
    await cache.close();
    await expect(cache.refresh('k', () => 'v')).rejects.toMatchObject({ code: 'PERF_CACHE_CLOSED' });
  });
});

describe('getOrLoadMany, when keys fail', () => {
  const failing =
    (bad: readonly string[]) =>
    (keys: readonly string[]): Map<string, string | Promise<string>> =>
      new Map(
        keys.map((key) => [key, bad.includes(key) ? Promise.reject(new Error(`no ${key}`)) : Promise.resolve(key)]),
      );

  test('a promise that rejects fails its key alone; nothing of the others is lost', async () => {
    const store = new FakeStore();
    const cache = new TieredCache<string, string>({ store });
    await cache.set('d', 'D');
    const call = cache.getOrLoadMany(['a', 'b', 'c', 'd'], failing(['b']));
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PERF_CACHE_LOAD_MANY', name: 'LoadManyError', cause: new Error('no b') });
    const { values, errors } = error as { values: Map<string, string>; errors: Map<string, unknown> };
    expect(values).toEqual(new Map(Object.entries({ a: 'a', c: 'c', d: 'D' })));
    expect([...errors]).toEqual([['b', new Error('no b')]]);
    await settle();
    expect([...(await new TieredCache<string, string>({ store }).getMany(['a', 'b', 'c'])).keys()]).toEqual(['a', 'c']);
    expect(await cache.getOrLoad('b', () => 'B')).toBe('B');
  });

  test('one reason for all is that reason', async () => {
    const cache = new TieredCache<string, string>();
    await expect(cache.getOrLoadMany(['a', 'b'], () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    await expect(cache.getOrLoadMany(['b'], failing(['b']))).rejects.toThrow('no b');
  });

  test('a failure that is remembered fails its key alone, and the others are loaded', async () => {
    const cache = new TieredCache<string, string>({ negativeTtl: 1_000 });
    const reason = new Error('no b');
    await expect(cache.getOrLoad('b', () => Promise.reject(reason))).rejects.toBe(reason);
    await cache.set('a', 'A');
    const loader = vi.fn((keys: readonly string[]) => new Map(keys.map((key) => [key, key.toUpperCase()])));
    const failure: unknown = await cache.getOrLoadMany(['a', 'b', 'c'], loader).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'PERF_CACHE_LOAD_MANY', errors: new Map([['b', reason]]) });
    expect((failure as LoadManyError<string, string>).values).toEqual(
      new Map([
        ['a', 'A'],
        ['c', 'C'],
      ]),
    );
    expect(loader).toHaveBeenCalledExactlyOnceWith(['c'], expect.anything());
    await expect(cache.getOrLoadMany(['b'], loader)).rejects.toBe(reason);
  });

  test('a key whose load was under way and fails does not fail the others', async () => {
    const cache = new TieredCache<string, string>();
    const held = Promise.withResolvers<string>();
    const alone = expect(cache.getOrLoad('a', () => held.promise)).rejects.toThrow('late');
    const many = cache.getOrLoadMany(['a', 'b'], failing([])).catch((reason: unknown) => reason);
    held.reject(new Error('late'));
    await alone;
    expect(await many).toMatchObject({ values: new Map([['b', 'b']]), errors: new Map([['a', new Error('late')]]) });
  });
});
