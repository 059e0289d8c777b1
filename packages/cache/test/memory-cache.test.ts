import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryCache, type MemoryCacheOptions, type RemovalReason } from '../src/index.ts';

const evictions = ['adaptive', 'lru'] as const;
const falsy = [undefined, null, 0, -0, '', false, NaN, 0n];

describe.each(evictions)('a MemoryCache that evicts %s', (eviction) => {
  const removed: [unknown, unknown, RemovalReason][] = [];
  const make = <K, V>(options: MemoryCacheOptions<K, V> = {}): MemoryCache<K, V> =>
    new MemoryCache<K, V>({ eviction, onRemove: (...args) => removed.push(args), ...options });

  beforeEach(() => {
    removed.length = 0;
  });

  describe('values', () => {
    test.each(falsy)('%s is a value like any other', (value) => {
      const cache = make<string, unknown>();
      cache.set('k', value);
      expect([cache.get('k'), cache.peek('k'), cache.has('k'), cache.size]).toEqual([value, value, true, 1]);
      expect(cache.delete('k')).toBe(true);
      expect([cache.get('k'), cache.has('k'), cache.delete('k')]).toEqual([undefined, false, false]);
      expect(removed).toEqual([['k', value, 'delete']]);
    });

    test('every value is a key of its own, as in a Map', () => {
      const cache = make<unknown, number>();
      const keys = [undefined, null, 0, '', false, NaN, 0n, '0', 'null', {}, [], Symbol('s')];
      for (const [index, key] of keys.entries()) cache.set(key, index);
      expect(cache.size).toBe(keys.length);
      for (const [index, key] of keys.entries()) expect(cache.get(key)).toBe(index);
      expect(cache.get(-0)).toBe(2);
    });

    test('`set` returns the cache', () => {
      const cache = make<string, number>();
      expect(cache.set('a', 1).set('b', 2).size).toBe(2);
    });
  });

  describe('maxSize', () => {
    test('is never exceeded, not even inside a listener', () => {
      const sizes: number[] = [];
      const cache = make<number, number>({ maxSize: 5, onRemove: () => sizes.push(cache.size) });
      for (let key = 0; key < 100; key++) cache.set(key, key);
      expect(cache.size).toBe(5);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(5);
      expect([...cache.keys()]).toHaveLength(5);
      expect(sizes).toHaveLength(95);
    });

    test('of one works', () => {
      const cache = make<string, number>({ maxSize: 1 });
      cache.set('a', 1).set('b', 2).set('c', 3);
      expect([...cache]).toEqual([['c', 3]]);
      expect(removed).toEqual([
        ['a', 1, 'evict'],
        ['b', 2, 'evict'],
      ]);
    });

    test('replacing evicts nobody', () => {
      const cache = make<string, number>({ maxSize: 2 });
      cache.set('a', 1).set('b', 2).set('a', 3);
      expect(removed).toEqual([['a', 1, 'set']]);
      expect(cache.size).toBe(2);
    });

    test('resize evicts down at once, and gives room', () => {
      const cache = make<number, number>({ maxSize: 10 });
      for (let key = 0; key < 10; key++) cache.set(key, key);
      cache.resize(3);
      expect(cache.size).toBe(3);
      expect(removed.filter(([, , reason]) => reason === 'evict')).toHaveLength(7);
      for (let key = 10; key < 100; key++) cache.set(key, key);
      expect(cache.size).toBe(3);
      cache.resize(50);
      for (let key = 100; key < 200; key++) cache.set(key, key);
      expect(cache.size).toBe(50);
      expect(cache.stats().maxSize).toBe(50);
    });
  });

  test('clear gives the memory back, and the cache goes on', () => {
    const cache = make<number, number>({ maxSize: 1_000, ttl: 1_000 });
    for (let round = 0; round < 3; round++) {
      for (let each = 0; each < 2_000; each++) cache.set(each, each);
      expect(cache.size).toBe(1_000);
      cache.clear();
      expect([cache.size, cache.weight, [...cache]]).toEqual([0, 0, []]);
    }
  });

  describe('weights', () => {
    test('maxWeight is never exceeded, and makes maxSize unlimited', () => {
      const cache = make<number, string>({ maxWeight: 100, weigh: (value) => value.length });
      for (let key = 0; key < 20_000; key++) {
        cache.set(key, 'x'.repeat(key % 40));
        expect(cache.weight).toBeLessThanOrEqual(100);
      }
      expect(cache.stats().maxSize).toBe(Infinity);
      const sum = [...cache.values()].reduce((total, value) => total + value.length, 0);
      expect(cache.weight).toBe(sum);
    });

    test('a heavier replacement evicts others, not itself', () => {
      const cache = make<string, string>({ maxWeight: 10, weigh: (value) => value.length });
      cache.set('a', 'xxx').set('b', 'xxx').set('c', 'xxx').set('a', 'x'.repeat(9));
      expect([...cache]).toEqual([['a', 'x'.repeat(9)]]);
      expect(cache.weight).toBe(9);
      expect(removed).toHaveLength(3);
      expect(removed).toContainEqual(['a', 'xxx', 'set']);
      expect(removed).toContainEqual(['b', 'xxx', 'evict']);
      expect(removed).toContainEqual(['c', 'xxx', 'evict']);
    });

    test('a value that is too heavy is not kept, and the old one is gone', () => {
      const cache = make<string, string>({ maxWeight: 10, weigh: (value) => value.length });
      cache.set('a', 'old').set('b', 'other').set('a', 'x'.repeat(11));
      expect([cache.has('a'), cache.get('b'), cache.weight]).toEqual([false, 'other', 5]);
      expect(removed).toEqual([
        ['a', 'old', 'set'],
        ['a', 'x'.repeat(11), 'evict'],
      ]);
    });

    test('a value that became too heavy for its place leaves once', () => {
      const cache = make<string, string>({ maxWeight: 10, maxSize: 5 });
      cache.set('a', 'same', { weight: 1 }).set('a', 'same', { weight: 11 });
      expect(cache.size).toBe(0);
      expect(removed).toEqual([['a', 'same', 'evict']]);
    });

    test('is never exceeded, not even inside a listener, when values become heavier', () => {
      const weights: number[] = [];
      const cache = make<number, string>({
        maxWeight: 20,
        weigh: (value) => value.length,
        onRemove: () => weights.push(cache.weight),
      });
      for (let step = 0; step < 500; step++) {
        cache.set(step % 7, 'x'.repeat((step * 5) % 19));
        expect(cache.weight).toBeLessThanOrEqual(20);
      }
      expect(weights.length).toBeGreaterThan(100);
      expect(Math.max(...weights)).toBeLessThanOrEqual(20);
      expect(cache.stats().listenerErrors).toBe(0);
    });

    test('`weigh` may use the cache, and even set the same key', () => {
      let depth = 0;
      const cache = make<string, string>({
        maxSize: 10,
        weigh: () => {
          if (depth++ === 0) cache.set('k', 'inner').set('other', 'inner').delete('gone');
          return 1;
        },
      });
      cache.get('k');
      cache.set('k', 'outer');
      expect([cache.get('k'), cache.size, cache.weight]).toEqual(['outer', 2, 2]);
      expect(removed).toEqual([['k', 'inner', 'set']]);
    });

    test('an entry of weight 0 goes when others need its place, but never for its weight', () => {
      const cache = make<string, number>({ maxSize: 2, maxWeight: 10 });
      cache.set('a', 1, { weight: 0 }).set('b', 2, { weight: 10 });
      expect([cache.size, cache.weight]).toEqual([2, 10]);
      cache.set('c', 3, { weight: 0 });
      expect(cache.size).toBe(2);
      expect(cache.weight).toBeLessThanOrEqual(10);
    });

    test('nothing weighs nothing: weight 0 is allowed', () => {
      const cache = make<number, string>({ maxWeight: 1, weigh: () => 0 });
      for (let key = 0; key < 50; key++) cache.set(key, 'v');
      expect([cache.size, cache.weight]).toEqual([50, 0]);
    });

    test('fractions do not add up to a cache that refuses everything', () => {
      const cache = make<number, string>({ maxWeight: 0.3 });
      for (let key = 0; key < 1_000; key++) cache.set(key, 'v', { weight: 0.1 * ((key % 3) + 1) - 1e-17 });
      cache.clear();
      cache.set(1, 'v', { weight: 0.3 });
      expect(cache.get(1)).toBe('v');
    });

    test('a bad weight changes nothing', () => {
      const cache = make<string, string>({ maxWeight: 10 });
      cache.set('a', 'old');
      for (const weight of [NaN, -1, Infinity, '5' as unknown as number]) {
        expect(() => cache.set('a', 'new', { weight })).toThrow(/`weight` must be/);
      }
      expect([cache.get('a'), cache.weight]).toEqual(['old', 1]);
    });

    test('what `weigh` throws, `set` throws, and nothing has changed', () => {
      let broken = false;
      const weigh = (): number => {
        if (broken) throw new Error('no scales');
        return 1;
      };
      const cache = make<string, string>({ maxWeight: 10, weigh });
      cache.set('a', 'old');
      broken = true;
      expect(() => cache.set('a', 'new')).toThrow('no scales');
      expect(cache.get('a')).toBe('old');
    });
  });

  describe('time', () => {
    const clock = new ManualClock();

    test('an entry is gone exactly when its ttl is over', () => {
      const cache = make<string, number>({ ttl: 100, clock });
      cache.set('k', 1);
      clock.advance(99.9);
      expect([cache.get('k'), cache.has('k'), cache.peek('k')]).toEqual([1, true, 1]);
      clock.advance(0.1);
      expect([cache.has('k'), cache.peek('k'), cache.get('k')]).toEqual([false, undefined, undefined]);
      expect(removed).toEqual([['k', 1, 'expire']]);
    });

    test('an entry has a ttl of its own, and a new value a new life', () => {
      const cache = make<string, number>({ ttl: 100, clock });
      cache.set('short', 1, { ttl: 10 }).set('long', 2, { ttl: Infinity }).set('again', 3);
      clock.advance(60);
      cache.set('again', 4);
      clock.advance(60);
      expect([cache.get('short'), cache.get('long'), cache.get('again')]).toEqual([undefined, 2, 4]);
    });

    test('reads do not prolong a ttl', () => {
      const cache = make<string, number>({ ttl: 100, clock });
      cache.set('k', 1);
      for (let step = 0; step < 9; step++) {
        clock.advance(10);
        expect(cache.get('k')).toBe(1);
      }
      clock.advance(10);
      expect(cache.get('k')).toBeUndefined();
    });

    test('slidingTtl counts from the last use, and ttl still ends it', () => {
      const cache = make<string, number>({ ttl: 100, slidingTtl: 30, clock });
      cache.set('used', 1).set('idle', 2).set('looked at', 3);
      for (let step = 0; step < 4; step++) {
        clock.advance(20);
        expect(cache.get('used')).toBe(1);
        cache.peek('looked at');
        cache.has('looked at');
      }
      expect([cache.has('idle'), cache.has('looked at')]).toEqual([false, false]);
      clock.advance(19.9);
      expect(cache.has('used')).toBe(true);
      clock.advance(0.1);
      expect(cache.has('used')).toBe(false);
    });

    test('a removed expired entry was not there for `delete`', () => {
      const cache = make<string, number>({ ttl: 10, clock });
      cache.set('k', 1);
      clock.advance(10);
      expect(cache.delete('k')).toBe(false);
      expect(removed).toEqual([['k', 1, 'expire']]);
    });

    test('replacing an expired value says that it expired', () => {
      const cache = make<string, number>({ ttl: 10, clock });
      cache.set('k', 1);
      clock.advance(10);
      cache.set('k', 2);
      expect(removed).toEqual([['k', 1, 'expire']]);
      expect(cache.get('k')).toBe(2);
    });

    test('purgeExpired removes all of them, and nothing else', () => {
      const cache = make<number, number>({ clock });
      for (let key = 0; key < 100; key++) cache.set(key, key, { ttl: key < 40 ? 10 : 1_000 });
      clock.advance(10);
      expect(cache.purgeExpired()).toBe(40);
      expect(cache.size).toBe(60);
      expect(cache.purgeExpired()).toBe(0);
      expect(cache.stats().removals.expire).toBe(40);
    });

    test.each([0, -1, NaN, '5' as unknown as number])('a ttl of %s is refused', (ttl) => {
      expect(() => make({ ttl })).toThrow(/`ttl` must be/);
      expect(() => make<string, number>().set('k', 1, { ttl })).toThrow(/`ttl` must be/);
      expect(() => make({ slidingTtl: ttl })).toThrow(/`slidingTtl` must be/);
    });
  });

  describe('listener', () => {
    test('hears of each value once, with the reason', () => {
      const cache = make<string, string>({ maxSize: 2 });
      cache.set('a', 'a1').set('a', 'a2').set('b', 'b1');
      cache.delete('a');
      cache.set('c', 'c1');
      cache.clear();
      expect(removed).toHaveLength(4);
      expect(new Set(removed.map((each) => each.join(' ')))).toEqual(
        new Set(['a a1 set', 'a a2 delete', 'b b1 clear', 'c c1 clear']),
      );
    });

    test('does not hear of a value that is replaced by itself', () => {
      const cache = make<string, object>();
      const value = {};
      cache.set('k', value).set('k', value);
      expect(removed).toEqual([]);
    });

    test('may throw: nobody is hurt, and it is counted', () => {
      const cache = make<string, number>({
        maxSize: 1,
        onRemove: () => {
          throw new Error('listener');
        },
      });
      cache.set('a', 1).set('b', 2);
      expect([cache.get('b'), cache.stats().listenerErrors]).toEqual([2, 1]);
    });

    test('may set, delete and clear', () => {
      const reasons: string[] = [];
      const cache = make<string, number>({
        maxSize: 3,
        onRemove: (key, _value, reason) => {
          reasons.push(`${key} ${reason}`);
          if (key === 'a') cache.set('from listener', 1);
          if (key === 'from listener') cache.clear();
          if (key === 'd') cache.delete('b');
        },
      });
      cache.set('a', 1).set('b', 2).set('c', 3);
      cache.delete('a');
      expect(reasons).toEqual(['a delete']);
      expect(cache.has('from listener')).toBe(true);
      cache.delete('from listener');
      expect(reasons.toSorted()).toEqual(['a delete', 'b clear', 'c clear', 'from listener delete'].toSorted());
      expect(cache.size).toBe(0);
      cache.set('b', 1).set('d', 2);
      cache.delete('d');
      expect(cache.size).toBe(0);
      expect(cache.weight).toBe(0);
    });

    test('may resize: each value leaves once', () => {
      const reasons: string[] = [];
      const cache = make<number, number>({
        maxSize: 10,
        onRemove: (key, _value, reason) => {
          reasons.push(`${key} ${reason}`);
          if (key === 3) cache.resize(2);
        },
      });
      for (let key = 0; key < 10; key++) cache.set(key, key);
      cache.delete(3);
      expect(cache.size).toBe(2);
      expect(new Set(reasons).size).toBe(reasons.length);
      expect(reasons).toHaveLength(8);
      expect(reasons[0]).toBe('3 delete');
    });

    test('may close: the rest is cleared, and the call that was running is not hurt', async () => {
      const reasons: string[] = [];
      const cache = make<string, number>({
        onRemove: (key, _value, reason) => {
          reasons.push(`${key} ${reason}`);
          void cache.close();
        },
      });
      cache.set('a', 1).set('b', 2);
      expect(cache.delete('a')).toBe(true);
      expect(reasons).toEqual(['a delete', 'b clear']);
      expect(cache.closed).toBe(true);
      expect(() => cache.get('b')).toThrow(expect.objectContaining({ code: 'PERF_CACHE_CLOSED' }));
      await cache.close();
      expect(cache.stats().removals).toEqual({ set: 0, evict: 0, expire: 0, delete: 1, clear: 1 });
    });

    test('that throws is called for the others all the same', () => {
      let calls = 0;
      const cache = make<number, number>({
        onRemove: () => {
          calls++;
          throw undefined;
        },
      });
      for (let key = 0; key < 5; key++) cache.set(key, key);
      cache.clear();
      expect([calls, cache.stats().listenerErrors, cache.size]).toEqual([5, 5, 0]);
    });

    test('sees a cache that is within its limits and knows of the removal', () => {
      const cache = make<number, number>({
        maxSize: 3,
        onRemove: (key) => {
          expect(cache.has(key)).toBe(false);
          expect(cache.size).toBeLessThanOrEqual(3);
        },
      });
      for (let key = 0; key < 20; key++) cache.set(key, key);
      expect(cache.stats().listenerErrors).toBe(0);
    });
  });

  describe('iteration', () => {
    test('goes over what is there and alive', () => {
      const clock = new ManualClock();
      const cache = make<string, number>({ clock });
      cache.set('a', 1).set('b', 2, { ttl: 5 }).set('c', 3);
      clock.advance(5);
      expect(new Set(cache.keys())).toEqual(new Set(['a', 'c']));
      expect(new Set(cache.values())).toEqual(new Set([1, 3]));
      expect(new Map(cache.entries())).toEqual(
        new Map([
          ['a', 1],
          ['c', 3],
        ]),
      );
      expect([...cache]).toHaveLength(2);
      expect(cache.size).toBe(3);
    });

    test('survives reads, removals, replacements and additions', () => {
      const cache = make<number, number>({ maxSize: 100 });
      for (let key = 0; key < 100; key++) cache.set(key, key);
      const seen: number[] = [];
      for (const [key] of cache) {
        seen.push(key);
        cache.get((key * 7) % 100);
        cache.delete((key + 1) % 100);
        cache.set(key, -key);
        cache.set(1_000 + key, 0);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(cache.size).toBeLessThanOrEqual(100);
    });

    test('ends even if every step adds an entry', () => {
      const cache = make<number, number>({ maxSize: Infinity });
      cache.set(0, 0);
      let steps = 0;
      for (const [key] of cache) {
        cache.set(key + 1, 0);
        expect(++steps).toBeLessThan(100);
      }
    });

    test('does not revisit what `clear` removed', () => {
      const cache = make<number, number>();
      for (let key = 0; key < 10; key++) cache.set(key, key);
      let steps = 0;
      for (const _ of cache) {
        steps++;
        cache.clear();
      }
      expect(steps).toBe(1);
    });
  });

  test('stats are a fresh snapshot', () => {
    const cache = make<string, number>({ maxSize: 2 });
    const before = cache.stats();
    cache.set('a', 1).set('b', 2).set('c', 3);
    cache.get('a');
    cache.get('b');
    cache.get('c');
    cache.peek('nothing');
    cache.has('nothing');
    expect(before.sets).toBe(0);
    expect(cache.stats()).toEqual({
      size: 2,
      weight: 2,
      maxSize: 2,
      maxWeight: Infinity,
      hits: 2,
      misses: 1,
      sets: 3,
      removals: { set: 0, evict: 1, expire: 0, delete: 0, clear: 0 },
      listenerErrors: 0,
    });
  });

  test('stats count what left, by reason', () => {
    const clock = new ManualClock();
    const cache = make<string, number>({ maxSize: 2, clock });
    cache.set('a', 1).set('a', 1).set('a', 2); // the second is the same value: nothing left
    cache.set('b', 3, { ttl: 5 }).set('c', 4);
    clock.advance(5);
    cache.purgeExpired();
    cache.set('d', 5, { ttl: 5 });
    cache.delete('d');
    cache.delete('d');
    cache.clear();
    const { removals } = cache.stats();
    expect(removals).toMatchObject({ set: 1, delete: 1 });
    expect(removals.evict + removals.expire + removals.clear).toBe(3);
    expect(removed).toHaveLength(5);
    expect(cache.stats().removals).not.toBe(removals);
  });

  test('close removes everything, is idempotent, and ends all use', async () => {
    const cache = make<string, number>({ ttl: 1_000 });
    cache.set('a', 1);
    const keys = cache.keys();
    await cache.close();
    await cache.close();
    expect(removed).toEqual([['a', 1, 'clear']]);
    expect([cache.closed, cache.size, cache.stats().size]).toEqual([true, 0, 0]);
    const uses = [
      () => cache.get('a'),
      () => cache.peek('a'),
      () => cache.has('a'),
      () => cache.set('a', 1),
      () => cache.delete('a'),
      () => cache.clear(),
      () => cache.resize(1),
      () => cache.purgeExpired(),
      () => keys.next(),
    ];
    for (const use of uses) expect(use).toThrow(expect.objectContaining({ code: 'PERF_CACHE_CLOSED' }));
  });

  test('a cache is closed at the end of its block', async () => {
    let cache: MemoryCache<string, number>;
    {
      await using inner = make<string, number>();
      cache = inner;
    }
    expect(cache.closed).toBe(true);
  });
});

describe('expiry without use', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('frees expired entries by itself, with one timer that does not keep the process alive', () => {
    const removed: string[] = [];
    const cache = new MemoryCache<number, number>({
      maxSize: 1_000,
      onRemove: (key, _, why) => removed.push(`${key} ${why}`),
    });
    expect(vi.getTimerCount()).toBe(0);
    for (let key = 0; key < 500; key++) cache.set(key, key, { ttl: 50 + key });
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect(cache.size).toBe(0);
    expect(new Set(removed).size).toBe(500);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([1, 100, 8_000, 60_000, 600_000, 40_000_000, 3_000_000_000, 9e11])(
    'a ttl of %d ms is kept, and over soon after',
    (ttl) => {
      const cache = new MemoryCache<string, number>({});
      cache.set('k', 1, { ttl });
      if (ttl > 3e9) {
        // Far beyond what a timer takes: it is there, and no timer spins.
        vi.advanceTimersByTime(3_600_000);
        expect(cache.size).toBe(1);
        return;
      }
      vi.advanceTimersByTime(ttl - 1);
      expect(cache.get('k')).toBe(1);
      vi.advanceTimersByTime(1);
      expect(cache.has('k')).toBe(false);
      vi.advanceTimersByTime(256);
      expect(cache.size).toBe(0);
    },
  );

  test('an entry whose life was prolonged is not swept early', () => {
    const cache = new MemoryCache<string, number>({ slidingTtl: 1_000 });
    cache.set('k', 1);
    for (let step = 0; step < 50; step++) {
      vi.advanceTimersByTime(900);
      expect(cache.get('k')).toBe(1);
    }
    vi.advanceTimersByTime(1_256);
    expect(cache.size).toBe(0);
  });

  test('an entry that is set to live shorter is swept in time', () => {
    const cache = new MemoryCache<string, number>({ ttl: 1_000_000 });
    cache.set('k', 1);
    cache.set('k', 1, { ttl: 500 });
    vi.advanceTimersByTime(756);
    expect(cache.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('entries set after a long quiet time expire in time', () => {
    const cache = new MemoryCache<string, number>({ ttl: 1_000 });
    vi.advanceTimersByTime(50_000_000);
    cache.set('k', 1);
    vi.advanceTimersByTime(1_256);
    expect(cache.size).toBe(0);
  });

  test('no timer is left after clear and close', async () => {
    const cache = new MemoryCache<string, number>({ ttl: 1_000 });
    cache.set('k', 1);
    cache.clear();
    expect(vi.getTimerCount()).toBe(0);
    cache.set('k', 1);
    await cache.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a process is not kept alive', () => {
    vi.useRealTimers();
    const spy = vi.spyOn(globalThis, 'setTimeout');
    const cache = new MemoryCache<string, number>({ ttl: 1_000 });
    cache.set('k', 1);
    const timer = spy.mock.results[0]?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    cache.clear();
    spy.mockRestore();
  });

  test('after a blocked event loop no expired entry is served', () => {
    const clock = new ManualClock();
    const cache = new MemoryCache<string, number>({ ttl: 50, clock });
    cache.set('k', 1);
    expect(cache.get('k')).toBe(1);
    clock.advance(60); // no timer has had a chance to run
    expect(cache.get('k')).toBeUndefined();
  });

  test('jumps of the wall clock change nothing', () => {
    const cache = new MemoryCache<string, number>({ ttl: 1_000 });
    cache.set('k', 1);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(cache.get('k')).toBe(1);
    vi.setSystemTime(Date.now() - 7_200_000);
    vi.advanceTimersByTime(1_000);
    expect(cache.get('k')).toBeUndefined();
  });
});

test('options are checked, each by name', () => {
  expect(() => new MemoryCache({ maxSize: -1 })).toThrow('`maxSize` must be a positive integer or Infinity, got -1');
  expect(() => new MemoryCache({ maxSize: 1.5 })).toThrow(RangeError);
  for (const maxSize of [NaN, 0, -Infinity, '5', null]) {
    expect(() => new MemoryCache({ maxSize: maxSize as number })).toThrow(/`maxSize`/);
    expect(() => new MemoryCache().resize(maxSize as number)).toThrow(/`maxSize`/);
  }
  expect(new MemoryCache({ maxSize: 2 ** 40 }).set('k', 1).get('k')).toBe(1);
  for (const maxWeight of [NaN, -1, '5', null]) {
    expect(() => new MemoryCache({ maxWeight: maxWeight as number })).toThrow(/`maxWeight`/);
  }
  expect(new MemoryCache({ maxWeight: 0.5 }).set('k', 1, { weight: 0.5 }).get('k')).toBe(1);
  expect(() => new MemoryCache({ maxWeight: 0 })).toThrow(/`maxWeight`/);
  expect(() => new MemoryCache({ weigh: 1 as never })).toThrow(/`weigh`/);
  expect(() => new MemoryCache({ eviction: 'fifo' as never })).toThrow(/`eviction` must be one of/);
  expect(() => new MemoryCache({ onRemove: {} as never })).toThrow(/`onRemove`/);
  expect(() => new MemoryCache({ name: '' })).toThrow(/`name`/);
  expect(() => new MemoryCache({ maxsize: 1 } as never)).toThrow(/no option `maxsize`/);
  expect(() => new MemoryCache({ clock: {} as never })).toThrow(/`clock`/);
  expect(() => new MemoryCache().set('k', 1, { tll: 5 } as object)).toThrow(/no option `tll`/);
  expect(() => new MemoryCache().resize(0)).toThrow(/`maxSize`/);
  expect(new MemoryCache().stats().maxSize).toBe(10_000);
});
