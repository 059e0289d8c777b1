import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LoadTimeoutError, type StoreLeases, TieredCache, type TieredCacheOptions } from '../src/index.ts';
import { FakeStore } from './fake-store.ts';

let store: FakeStore;
beforeEach(() => {
  vi.useFakeTimers();
  store = new FakeStore(() => performance.now());
});
afterEach(() => vi.useRealTimers());

const make = (options: TieredCacheOptions<string, string> = {}): TieredCache<string, string> =>
  new TieredCache<string, string>({ store, ...options });
const flush = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const after = (ms: number, value: string): (() => Promise<string>) =>
  vi.fn(() => new Promise<string>((resolve) => setTimeout(resolve, ms, value)));

describe('one load in all processes', () => {
  test('of a key that many ask for in each', async () => {
    const caches = [make(), make(), make(), make()];
    const loader = after(500, 'v');
    const calls = caches.flatMap((cache) => Array.from({ length: 100 }, () => cache.getOrLoad('k', loader)));
    await flush(1_000);
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['v']));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(caches.reduce((sum, cache) => sum + cache.stats().loads, 0)).toBe(1);
    for (const cache of caches) expect(cache.stats()).toMatchObject({ inFlight: 0, fenced: 0 });
  });

  test('of keys that are asked for in different sets', async () => {
    const seen: string[] = [];
    const loader = async (keys: readonly string[]): Promise<Map<string, string>> => {
      seen.push(...keys);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return new Map(keys.map((key) => [key, key]));
    };
    const sets = ['a b c', 'c d e', 'a e x', 'x'].map((keys) => keys.split(' '));
    const calls = sets.map((keys) => make().getOrLoadMany(keys, loader));
    await flush(1_000);
    const results = await Promise.all(calls);
    expect(results.map((result) => [...result.keys()])).toEqual(sets);
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'x']);
  });

  test('of a stale value, which is served meanwhile', async () => {
    const caches = [make({ ttl: 1_000, staleFor: 10_000 }), make({ ttl: 1_000, staleFor: 10_000 })];
    await caches[0]?.set('k', 'old');
    await flush(1_500);
    const loader = after(400, 'new');
    for (const cache of caches) expect(await cache.getOrLoad('k', loader)).toBe('old');
    await flush(1_000);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('goes on as long as the load, however short the lease', async () => {
    const [a, b] = [make({ leaseTtl: 90 }), make({ leaseTtl: 90 })];
    const loader = after(2_000, 'v');
    const calls = [a.getOrLoad('k', loader), b.getOrLoad('k', loader)];
    await flush(3_000);
    expect(await Promise.all(calls)).toEqual(['v', 'v']);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(store.countOf('extend')).toBeGreaterThan(20);
  });

  test('ends with its process: another one loads after the lease', async () => {
    const [a, b] = [make(), make()];
    const loader = after(100, 'v');
    a.getOrLoad('k', () => new Promise(() => {})).catch(() => {});
    await flush();
    // The process of `a` is gone: it does not extend its lease.
    const extend = vi.spyOn(store.leases as StoreLeases, 'extend').mockReturnValue(new Promise(() => {}));
    const call = b.getOrLoad('k', loader);
    await flush(2_900);
    expect(loader).not.toHaveBeenCalled();
    extend.mockRestore();
    await flush(500);
    expect(await call).toBe('v');
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('a holder that was too slow does not overwrite its successor', async () => {
    const [a, b] = [make({ leaseTtl: 50 }), make()];
    vi.spyOn(store.leases as StoreLeases, 'extend').mockResolvedValue([false]);
    const slow = a.getOrLoad('k', after(1_000, 'slow'));
    await flush();
    const quick = b.getOrLoad('k', after(100, 'quick'));
    await flush(2_000);
    expect(await Promise.all([slow, quick])).toEqual(['slow', 'quick']);
    expect(a.stats().fenced).toBe(1);
    expect(await make().get('k')).toBe('quick');
    expect(await a.get('k')).toBe('quick');
  });

  test('a load that fails gives the lease back: the next process tries at once', async () => {
    const [a, b] = [make(), make()];
    const failing = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw new Error('no');
    });
    const first = expect(a.getOrLoad('k', failing)).rejects.toThrow('no');
    await flush();
    const second = b.getOrLoad('k', after(10, 'v'));
    await flush(300);
    await first;
    expect(await second).toBe('v');
  });

  test('so does one that all its callers have left, and one that has no value', async () => {
    const [a, b] = [make(), make()];
    const left = AbortSignal.abort('gone');
    const controller = new AbortController();
    const aborted = expect(
      a.getOrLoad('k', ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)), {
        signal: controller.signal,
      }),
    ).rejects.toBe('enough');
    await expect(a.getOrLoad('k', () => 'x', { signal: left })).rejects.toBe('gone');
    await flush();
    controller.abort('enough');
    await aborted;
    await flush();
    expect(await a.getOrLoadMany(['k'], () => new Map())).toEqual(new Map());
    await flush();
    const call = b.getOrLoad('k', () => 'v');
    await flush();
    expect(await call).toBe('v');
  });

  test('is waited for no longer than loadTimeout', async () => {
    const [a, b] = [make({ loadTimeout: 60_000 }), make({ loadTimeout: 1_000 })];
    const never = expect(a.getOrLoad('k', () => new Promise(() => {}))).rejects.toThrow(LoadTimeoutError);
    await flush();
    const call = b.getOrLoad('k', () => 'v');
    await flush(1_100);
    expect(await call).toBe('v');
    await flush(60_000);
    await never;
  });

  test('a caller that waits for another process leaves at once when it aborts', async () => {
    const [a, b] = [make(), make()];
    void a.getOrLoad('k', after(5_000, 'v'));
    await flush();
    const controller = new AbortController();
    const call = expect(b.getOrLoad('k', () => 'w', { signal: controller.signal })).rejects.toBe('bored');
    await flush(100);
    controller.abort('bored');
    await call;
    expect(b.stats().inFlight).toBe(0);
    await flush(10_000);
    const asked = store.countOf('getMany');
    await flush(10_000);
    expect(store.countOf('getMany')).toBe(asked);
  });

  test('is not waited for by the process that has it, when a tag of the value was invalidated or its callers have left', async () => {
    const [a, b] = [make(), make()];
    const slow = Promise.withResolvers<string>();
    const other = Promise.withResolvers<string>();
    const controller = new AbortController();
    const tagged = a.getOrLoad('tagged', () => slow.promise, { tags: ['t'] });
    const batch = a.getOrLoadMany(['left', 'stays'], async () => new Map([['stays', await other.promise]]), {
      signal: controller.signal,
    });
    const stays = a.getOrLoad('stays', () => 'never');
    await flush();
    controller.abort();
    await expect(batch).rejects.toBe(controller.signal.reason);
    await a.invalidateTags(['t']);
    expect(await a.getOrLoad('tagged', () => 'new', { tags: ['t'] })).toBe('new');
    expect(await a.getOrLoad('left', () => 'new')).toBe('new');
    slow.resolve('outdated');
    other.resolve('loaded');
    expect([await tagged, await stays]).toEqual(['outdated', 'loaded']);
    await flush();
    expect([await a.get('tagged'), await b.get('tagged'), await b.get('left')]).toEqual(['new', 'new', 'new']);
  });

  test('a deletion while others wait: they load anew', async () => {
    const [a, b] = [make(), make()];
    const old = a.getOrLoad('k', after(500, 'old'));
    await flush();
    const waiting = b.getOrLoad('k', after(50, 'new'));
    await flush(100);
    await a.delete('k');
    await flush(1_000);
    expect(await Promise.all([old, waiting])).toEqual(['old', 'new']);
    expect(await a.get('k')).toBe('new');
  });

  test('not if the store gives no leases, or they are not wanted, or it does not answer', async () => {
    const unwanted = [make({ singleFlight: 'process' }), make({ singleFlight: 'process' })];
    const without = new FakeStore(() => performance.now(), { leases: false });
    const loader = after(100, 'v');
    const calls = [...unwanted, make({ store: without }), make({ store: without })].map((cache) =>
      cache.getOrLoad('k', loader),
    );
    await flush(200);
    expect(await Promise.all(calls)).toEqual(['v', 'v', 'v', 'v']);
    expect(loader).toHaveBeenCalledTimes(4);
    store.broken.add('acquire');
    const call = make().getOrLoad('other', loader);
    await flush(200);
    expect(await call).toBe('v');
    expect(store.countOf('acquire')).toBe(1);
  });

  test('nothing of it is left behind', async () => {
    const [a, b] = [make(), make()];
    const calls = [a.getOrLoad('k', after(100, 'v')), b.getOrLoad('k', after(100, 'v'))];
    await flush(300);
    await Promise.all(calls);
    await Promise.all([a.close(), b.close()]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
