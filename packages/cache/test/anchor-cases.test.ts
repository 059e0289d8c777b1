import { execFile } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, memoize } from '../src/index.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeStore } from './fake-store.ts';

/** What other caches were seen to get wrong, as far as the tests of the parts do not show it already. */

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

/** Rejections that nobody heard of, over a turn of the event loop. */
async function unheard(work: () => unknown): Promise<unknown[]> {
  const reasons: unknown[] = [];
  const note = (reason: unknown): void => void reasons.push(reason);
  process.on('unhandledRejection', note);
  try {
    await work();
    await new Promise((resolve) => setImmediate(resolve));
    return reasons;
  } finally {
    process.off('unhandledRejection', note);
  }
}

afterEach(() => void vi.useRealTimers());

describe('a load that fails', () => {
  test('those who come while its failure is told share one new load', async () => {
    const cache = new TieredCache<string, string>();
    const first = Promise.withResolvers<string>();
    const loader = vi.fn(() => 'NEW').mockImplementationOnce(() => first.promise as never);
    const again = (): Promise<string> => cache.getOrLoad('k', loader);
    const callers = Array.from({ length: 3 }, () => again().catch(again));
    first.reject(new Error('no'));
    expect(await Promise.all(callers)).toEqual(['NEW', 'NEW', 'NEW']);
    expect(loader).toHaveBeenCalledTimes(2);
  });

  test('with a stale value at hand, all callers get that, and the next attempt waits', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, string>({ ttl: 100, staleFor: 10_000, negativeTtl: 500, clock });
    await cache.set('k', 'STALE');
    clock.advance(100);
    const loader = vi.fn(() => Promise.reject(new Error('no')));
    const ask = (): Promise<string[]> =>
      Promise.all(Array.from({ length: 20 }, () => cache.getOrLoad('k', loader as never)));
    expect(new Set(await ask())).toEqual(new Set(['STALE']));
    await settle();
    expect(new Set(await ask())).toEqual(new Set(['STALE']));
    expect(loader).toHaveBeenCalledTimes(1);
    clock.advance(500);
    expect(new Set(await ask())).toEqual(new Set(['STALE']));
    await settle();
    expect(loader).toHaveBeenCalledTimes(2);
  });

  test('and that nobody waits for any more is nobody’s problem', async () => {
    const cache = new TieredCache<string, string>();
    const answer = Promise.withResolvers<string>();
    const reasons = await unheard(async () => {
      const controller = new AbortController();
      const callers = [1, 2].map(() => cache.getOrLoad('k', () => answer.promise, { signal: controller.signal }));
      const outcomes = Promise.allSettled(callers);
      await settle();
      controller.abort();
      await outcomes;
      answer.reject(new Error('too late'));
    });
    expect(reasons).toEqual([]);
    expect(cache.stats().inFlight).toBe(0);
  });

  test('leaves the load that has taken its place alone', async () => {
    const cache = new TieredCache<string, string>();
    const older = Promise.withResolvers<string>();
    const newer = Promise.withResolvers<string>();
    const a = cache.getOrLoad('k', () => older.promise);
    await settle();
    await cache.delete('k');
    const loader = vi.fn(() => newer.promise);
    const b = cache.getOrLoad('k', loader);
    older.reject(new Error('older'));
    await expect(a).rejects.toThrow('older');
    const c = cache.getOrLoad('k', loader);
    newer.resolve('NEW');
    expect(await Promise.all([b, c])).toEqual(['NEW', 'NEW']);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(await cache.get('k')).toBe('NEW');
  });
});

describe('two tiers', () => {
  let store: FakeStore;
  let bus: FakeBus;
  const make = (): TieredCache<string, unknown> => new TieredCache<string, unknown>({ store, bus });

  beforeEach(() => {
    store = new FakeStore();
    bus = new FakeBus();
  });

  test('callers share the question to the store too, however slow the answer is', async () => {
    const cache = make();
    const hold = Promise.withResolvers<void>();
    store.before = (operation) => (operation === 'getMany' ? hold.promise : undefined);
    const loader = vi.fn(() => 'v');
    const a = cache.getOrLoad('k', loader);
    await settle();
    const b = cache.getOrLoad('k', loader);
    hold.resolve();
    expect(await Promise.all([a, b])).toEqual(['v', 'v']);
    expect([store.countOf('getMany'), loader.mock.calls.length]).toEqual([1, 1]);
  });

  test('a clear that overtakes the answer of the store: the answer is returned, not kept', async () => {
    const [a, b] = [make(), make()];
    await a.set('a,b', 'OLD');
    const hold = Promise.withResolvers<void>();
    store.after = (operation) => (operation === 'getMany' ? hold.promise : undefined);
    const read = b.get('a,b');
    await settle();
    store.after = () => undefined;
    await a.clear();
    hold.resolve();
    expect(await read).toBe('OLD');
    expect(b.size).toBe(0);
    expect(await b.get('a,b')).toBeUndefined();
  });

  test.each([null, undefined, 0, '', false, NaN, -0, 0n])('%o is a value like any other', async (value) => {
    const [a, b] = [make(), make()];
    const loader = vi.fn(() => value);
    expect(await a.getOrLoad('k', loader)).toBe(value);
    await settle();
    expect(await a.getOrLoad('k', loader)).toBe(value);
    expect(await b.getOrLoad('k', loader)).toBe(value);
    expect(await b.getMany(['k', 'absent'])).toEqual(new Map([['k', value]]));
    expect(await b.get('k')).toBe(value);
    expect(await b.getOrLoadMany(['k'], () => new Map())).toEqual(new Map([['k', value]]));
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('a hit in memory does not wait for a store that hangs', async () => {
    vi.useFakeTimers();
    const cache = make();
    await cache.set('k', 'v');
    store.before = () => new Promise(() => {});
    // Another key's questions and changes hang; time does not move.
    const hanging = [cache.get('x'), cache.delete('y').catch(() => {}), cache.set('z', 1).catch(() => {})];
    expect(await cache.get('k')).toBe('v');
    expect(await cache.getOrLoad('k', () => 'loaded')).toBe('v');
    expect(await cache.get('z')).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    await Promise.all(hanging);
  });
});

test('loads under way take no place from entries, nor from each other', async () => {
  const cache = new TieredCache<string, string>({ memory: { maxSize: 2 } });
  const answers = Array.from({ length: 4 }, () => Promise.withResolvers<string>());
  const calls = answers.map(({ promise }, index) => cache.getOrLoad(`k${index}`, () => promise));
  await cache.set('a', '1');
  await cache.set('b', '2');
  expect([await cache.get('a'), await cache.get('b'), cache.size]).toEqual(['1', '2', 2]);
  for (const [index, { resolve }] of answers.entries()) resolve(`v${index}`);
  expect(await Promise.all(calls)).toEqual(['v0', 'v1', 'v2', 'v3']);
  await settle();
  expect(cache.size).toBe(2);
});

test('durations past what a timer can count are as long as they say', async () => {
  vi.useFakeTimers();
  const long = 2 ** 31 + 1_000;
  const store = new FakeStore();
  const cache = new TieredCache<string, string>({
    store,
    ttl: long,
    staleFor: long,
    loadTimeout: long,
    storeTimeout: long,
  });
  const answer = Promise.withResolvers<string>();
  const call = cache.getOrLoad('k', () => answer.promise);
  await vi.advanceTimersByTimeAsync(60_000);
  answer.resolve('v');
  expect(await call).toBe('v');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await cache.get('k')).toBe('v');
  const late = new TieredCache<string, string>({ loadTimeout: long });
  const outcome = late
    .getOrLoad('k', () => new Promise<string>(() => {}))
    .catch((error: unknown) => (error as { code: unknown }).code);
  await vi.advanceTimersByTimeAsync(long);
  expect(await outcome).toBe('PERF_CACHE_LOAD_TIMEOUT');
});

test('a wall clock that jumps neither prolongs nor ends a value', async () => {
  const clock = new ManualClock();
  const cache = new TieredCache<string, string>({ ttl: 1_000, clock });
  vi.useFakeTimers({ toFake: ['Date'] });
  await cache.set('k', 'v');
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(await cache.get('k')).toBe('v');
  clock.advance(1_000);
  vi.setSystemTime(Date.now() - 7_200_000);
  expect(await cache.get('k')).toBeUndefined();
});

test('memoized calls whose keys are alike to a hash of 32 bits stay apart', async () => {
  const cache = new TieredCache<string, unknown>();
  const echo = memoize(cache, async (id: string) => `data of ${id}`);
  for (const id of ['user-1r', 'user-30']) expect(await echo(id)).toBe(`data of ${id}`);
  const [one, other] = [memoize(cache, async (map: unknown) => map), memoize(cache, async () => 'other')];
  const maps = [new Map([['a', 1]]), new Map([['a', 2]]), new Map()];
  for (const map of maps) expect(await one(map)).toBe(map);
  expect(await other()).toBe('other');
});

test('a cache with entries and remembered failures does not keep its process alive', async () => {
  const program = `
    import { TieredCache } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
    const cache = new TieredCache({ ttl: 60_000, staleFor: 60_000, negativeTtl: 60_000, name: 'exit' });
    for (let i = 0; i < 100; i++) await cache.set(i, i);
    await cache.getOrLoad('k', () => 1);
    await cache.getOrLoad('failed', () => { throw new Error('no'); }).catch(() => {});
    console.log('done');
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 30_000,
  });
  expect(stdout).toBe('done\n');
});
