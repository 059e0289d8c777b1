import { describe, expect, test } from 'vitest';
import { MemoryCache } from '../src/index.ts';

/** Hits in per cent when each key is asked for in turn, and kept when it was not there. */
function hitRatio(eviction: 'adaptive' | 'lru', maxSize: number, keys: Iterable<number>): number {
  const cache = new MemoryCache<string, number>({ maxSize, eviction });
  let asked = 0;
  for (const key of keys) {
    asked++;
    if (cache.get(`key ${key}`) === undefined) cache.set(`key ${key}`, key);
    if (cache.size > maxSize) throw new Error(`${cache.size} entries`);
  }
  const { hits } = cache.stats();
  return (100 * hits) / asked;
}

function* loop(length: number, times: number): Generator<number> {
  for (let time = 0; time < times; time++) for (let key = 0; key < length; key++) yield key;
}

/** Popular keys with probability 1/rank, and now and then a scan over keys that never come again. */
function* popularWithScans(requests: number): Generator<number> {
  let state = 42;
  let scanned = 1_000_000;
  for (let request = 0; request < requests; request++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const uniform = (state >>> 0) / 2 ** 32;
    yield Math.floor(5_000 ** uniform);
    if (request % 1_000 === 999) for (let key = 0; key < 500; key++) yield scanned++;
  }
}

/** Every key twice, the second time after 1 to 300 others, and never again. */
function* recent(requests: number): Generator<number> {
  for (let key = 0; key < requests / 2; key++) {
    yield key;
    const distance = (key * 7) % 300;
    if (key >= 300) yield key - distance;
  }
}

describe('adaptive eviction', () => {
  test('keeps half of a loop that is twice as long as the cache, where lru keeps nothing', () => {
    expect(hitRatio('lru', 512, loop(1_011, 200))).toBeLessThan(1);
    expect(hitRatio('adaptive', 512, loop(1_011, 200))).toBeGreaterThan(44);
  });

  test('resists a loop of entries of all weights, too', () => {
    const hits = (eviction: 'adaptive' | 'lru'): number => {
      const cache = new MemoryCache<string, number>({ maxWeight: 5_000, weigh: (weight) => weight, eviction });
      for (const key of loop(1_500, 100)) {
        const weight = Math.imul(key, 2_654_435_761) >>> 28;
        if (cache.get(`key ${key}`) === undefined) cache.set(`key ${key}`, weight);
      }
      return cache.stats().hits;
    };
    expect(hits('lru')).toBeLessThan(1_500);
    expect(hits('adaptive')).toBeGreaterThan(20_000);
  });

  test('is not flushed by scans', () => {
    const adaptive = hitRatio('adaptive', 200, popularWithScans(100_000));
    const lru = hitRatio('lru', 200, popularWithScans(100_000));
    expect(adaptive).toBeGreaterThan(lru + 5);
  });

  test('finds out that only what is recent counts', () => {
    // With everything in the window, half of the requests hit; with a window of one per cent, next to none.
    expect(hitRatio('adaptive', 512, recent(200_000))).toBeGreaterThan(40);
  });

  test('learns that what was popular is popular no more', () => {
    const cache = new MemoryCache<number, number>({ maxSize: 100 });
    for (let round = 0; round < 200; round++) {
      for (let key = 0; key < 100; key++) if (cache.get(key) === undefined) cache.set(key, key);
    }
    let hits = 0;
    for (let round = 0; round < 200; round++) {
      for (let key = 1_000; key < 1_080; key++) {
        if (cache.get(key) === undefined) cache.set(key, key);
        else if (round >= 150) hits++;
      }
    }
    expect(hits / (50 * 80)).toBeGreaterThan(0.95);
  });

  test('follows a workload that turns from one pattern to another and back', () => {
    const cache = new MemoryCache<string, number>({ maxSize: 500 });
    const ratio = (keys: Iterable<number>, prefix: string): number => {
      const before = cache.stats();
      let asked = 0;
      for (const key of keys) {
        asked++;
        if (cache.get(`${prefix} ${key}`) === undefined) cache.set(`${prefix} ${key}`, key);
      }
      return (100 * (cache.stats().hits - before.hits)) / asked;
    };
    for (let turn = 0; turn < 3; turn++) {
      // A loop of twice the size, where only what is kept hits, and then each key twice, where only what is new does.
      expect(ratio(loop(1_000, 60), `loop ${turn}`)).toBeGreaterThan(40);
      expect(ratio(recent(60_000), `recent ${turn}`)).toBeGreaterThan(40);
    }
  });

  test('does not let many light entries in for one heavy entry that went', () => {
    const hits = (eviction: 'adaptive' | 'lru'): number => {
      const weightOf = (key: number): number => 2 ** ((Math.imul(key, 0x2c1b3c6d) >>> 16) % 9);
      const cache = new MemoryCache<number, number>({ maxWeight: 20_000, weigh: (_, key) => weightOf(key), eviction });
      for (const key of popularWithScans(100_000)) if (cache.get(key) === undefined) cache.set(key, key);
      return cache.stats().hits;
    };
    expect(hits('adaptive')).toBeGreaterThan(hits('lru') * 1.1);
  });

  test('goes on after its size has become another, and after it was cleared', () => {
    const cache = new MemoryCache<string, number>({ maxSize: 1_000 });
    const ask = (times: number): number => {
      const before = cache.stats().hits;
      for (const key of loop(2_000, times)) if (cache.get(`k ${key}`) === undefined) cache.set(`k ${key}`, key);
      return (100 * (cache.stats().hits - before)) / (2_000 * times);
    };
    expect(ask(20)).toBeGreaterThan(40);
    cache.resize(300);
    expect(ask(60)).toBeGreaterThan(6);
    cache.resize(1_000);
    expect(ask(30)).toBeGreaterThan(40);
    cache.clear();
    expect(ask(20)).toBeGreaterThan(40);
  });

  const makers: [string, (key: number) => unknown][] = [
    ['objects', (key) => ({ key })],
    ['symbols', (key) => Symbol(key)],
    ['symbols of the registry', (key) => Symbol.for(`cache test ${key}`)],
    ['big integers', (key) => BigInt(key) << 40n],
    ['functions', (key) => () => key],
    ['fractions', (key) => key / 7],
  ];
  test.each(makers)('knows %s as keys when they come back, and follows them too', (_, make) => {
    const made = new Map<number, unknown>();
    const keyOf = (key: number): unknown => {
      if (!made.has(key)) made.set(key, make(key));
      return made.get(key);
    };
    const cache = new MemoryCache<unknown, number>({ maxSize: 300 });
    const ratio = (keys: Iterable<number>): number => {
      const before = cache.stats().hits;
      let asked = 0;
      for (const key of keys) {
        asked++;
        if (cache.get(keyOf(key)) === undefined) cache.set(keyOf(key), key);
      }
      return (100 * (cache.stats().hits - before)) / asked;
    };
    expect(ratio(loop(600, 30))).toBeGreaterThan(40);
    // Each twice, within the size: nobody is popular, and the window has to become large.
    const twice = Array.from({ length: 20_000 }, (_each, at) => 1_000 + (at >> 1) - (at % 2) * 100);
    expect(ratio(twice)).toBeGreaterThan(40);
  });

  test('takes any key', () => {
    const cache = new MemoryCache<unknown, number>({ maxSize: 4 });
    const keys = [
      undefined,
      null,
      true,
      false,
      0,
      NaN,
      Infinity,
      '',
      'x'.repeat(1_000),
      0n,
      -(2n ** 70n),
      {},
      Symbol('s'),
    ];
    for (let round = 0; round < 50; round++) for (const key of keys) cache.set(key, round);
    expect(cache.size).toBe(4);
  });
});

describe('lru eviction', () => {
  test('removes what was used least recently, as finely as a generation', () => {
    const cache = new MemoryCache<number, number>({ maxSize: 4, eviction: 'lru' });
    for (const key of [1, 2, 3, 4]) cache.set(key, key);
    cache.get(1);
    cache.get(3);
    cache.set(5, 5).set(6, 6);
    expect(new Set(cache.keys())).toEqual(new Set([1, 3, 5, 6]));
  });

  test('holds as many as it may, all the time', () => {
    const cache = new MemoryCache<number, number>({ maxSize: 50, eviction: 'lru' });
    for (let step = 0; step < 5_000; step++) {
      cache.set(step, step);
      cache.get(step - (step % 37));
      expect(cache.size).toBe(Math.min(step + 1, 50));
    }
  });

  test('keeps what is used when only weight limits it', () => {
    const cache = new MemoryCache<number, number>({ maxWeight: 100, eviction: 'lru' });
    for (let step = 0; step < 5_000; step++) {
      cache.set(step, step, { weight: 1 + (step % 3) });
      for (const used of [0, 1, 2]) if (step >= used) expect(cache.get(used)).toBe(used);
    }
    expect(cache.size).toBeGreaterThan(40);
  });
});
