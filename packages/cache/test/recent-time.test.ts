import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryCache } from '../src/index.ts';

/** Keeps the event loop busy by the real clock. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) continue;
}

describe('with the real clock', () => {
  test('a blocked event loop serves no expired entry, in the same turn either', () => {
    const cache = new MemoryCache<string, number>({ ttl: 3_600_000 });
    cache.set('long', 1).set('short', 2, { ttl: 50 });
    // What is read here may be trusted for far deadlines, and must not be for near ones.
    for (let use = 0; use < 20; use++) expect(cache.get('long')).toBe(1);
    block(60);
    expect([cache.get('short'), cache.has('short'), cache.peek('short')]).toEqual([undefined, false, undefined]);
    expect(cache.get('long')).toBe(1);
    cache.clear();
  });

  test('fake timers that come later are believed at once', () => {
    const cache = new MemoryCache<string, number>({ ttl: 3_600_000 });
    cache.set('real', 1);
    expect(cache.get('real')).toBe(1);
    vi.useFakeTimers();
    try {
      cache.set('fake', 2);
      vi.advanceTimersByTime(3_599_999);
      expect(cache.get('fake')).toBe(2);
      vi.advanceTimersByTime(1);
      expect(cache.get('fake')).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the clock', () => {
  let now = 0;
  let looks = 0;
  let FreshCache: typeof MemoryCache;

  beforeEach(async () => {
    // Only the timers, and before the cache is loaded: where `performance.now` is not the one that was there then, it is asked at every use.
    vi.resetModules();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    ({ MemoryCache: FreshCache } = await import('../src/index.ts'));
    const { systemClock } = await import('@perf/core');
    now = 1_000;
    looks = 0;
    vi.spyOn(systemClock, 'now').mockImplementation(() => {
      looks++;
      return now;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test('is read once for a hundred uses of entries that have more than a minute left', () => {
    const cache = new FreshCache<string, number>({ ttl: 61_000 });
    cache.set('k', 1);
    looks = 0;
    for (let use = 0; use < 1_000; use++) cache.get('k');
    expect(looks).toBeLessThanOrEqual(10);
  });

  test('is read for every use of an entry that has no more than a minute left', () => {
    const cache = new FreshCache<string, number>({ ttl: 60_000 });
    cache.set('k', 1);
    looks = 0;
    for (let use = 0; use < 100; use++) cache.get('k');
    expect(looks).toBe(100);
    now += 60_000;
    expect(cache.get('k')).toBeUndefined();
  });

  test('is read again after a second, and after a hundred uses', () => {
    const cache = new FreshCache<string, number>({ ttl: 100_000 });
    cache.set('a', 1).set('b', 2);
    expect(cache.get('a')).toBe(1);
    now += 100_000;
    vi.advanceTimersByTime(1_000);
    expect(cache.get('a')).toBeUndefined();
    cache.set('c', 3);
    now += 100_000;
    let served = 0;
    while (cache.get('c') !== undefined) served++;
    expect(served).toBeLessThanOrEqual(100);
  });

  test('is not read at all for entries that never expire', () => {
    const cache = new FreshCache<string, number>();
    looks = 0;
    cache.set('k', 1);
    for (let use = 0; use < 100; use++) cache.get('k');
    expect(looks).toBe(0);
  });

  test('leaves no timer behind after its second', () => {
    const cache = new FreshCache<string, number>({ ttl: 100_000 });
    cache.set('k', 1);
    cache.get('k');
    cache.clear();
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
