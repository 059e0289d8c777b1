import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache } from '../src/index.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeStore } from './fake-store.ts';

const OPERATIONS = ['getMany', 'setMany', 'deleteMany', 'invalidateTags', 'clear', 'acquire'] as const;

let store: FakeStore;
let cache: TieredCache<string, string>;
beforeEach(() => {
  vi.useFakeTimers();
  store = new FakeStore(() => performance.now());
  cache = new TieredCache<string, string>({ store, storeTimeout: 100, breakAfter: 3, breakFor: 1_000 });
});
afterEach(() => vi.useRealTimers());

const flush = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const fail = (): void => OPERATIONS.forEach((operation) => store.broken.add(operation));

describe('a store that fails several times in a row', () => {
  test('is left alone: loads go on, and are not held up', async () => {
    store.before = () => new Promise(() => {});
    for (const key of ['a', 'b', 'c']) {
      const call = cache.getOrLoad(key, () => key);
      await flush(100);
      expect(await call).toBe(key);
    }
    expect(cache.stats()).toMatchObject({ storeBreaker: 'open', storeOpenings: 1, storeFailures: 3 });
    const asked = store.calls.length;
    const calls = Array.from({ length: 100 }, (_, index) => cache.getOrLoad(`k${index}`, () => 'v'));
    expect(await Promise.all(calls)).toHaveLength(100);
    expect(await cache.get('a')).toBe('a');
    expect(await cache.get('k7')).toBe('v');
    expect(store.calls.length).toBe(asked);
  });

  test('refuses changes at once, which then hide what the store has', async () => {
    await cache.set('k', 'old');
    fail();
    for (let call = 0; call < 3; call++) await cache.get('x');
    await expect(cache.delete('k')).rejects.toMatchObject({
      code: 'PERF_CACHE_STORE',
      cause: { code: 'PERF_CACHE_STORE_UNAVAILABLE' },
    });
    expect(cache.stats().unsynced).toBe(1);
    expect(await cache.get('k')).toBeUndefined();
  });

  test('is asked by one call after breakFor, and by all when that goes well', async () => {
    fail();
    for (let call = 0; call < 3; call++) await cache.get('x');
    await flush(999);
    let asked = store.calls.length;
    await cache.get('x');
    expect(store.calls.length).toBe(asked);
    await flush(1);
    store.before = () => new Promise(() => {});
    const probe = cache.get('x');
    await flush();
    expect(cache.stats().storeBreaker).toBe('half-open');
    expect(await cache.getOrLoad('y', () => 'v')).toBe('v');
    expect(store.calls.length).toBe(asked + 1);
    await flush(100);
    expect(await probe).toBeUndefined();
    expect(cache.stats().storeBreaker).toBe('open');
    store.before = () => undefined;
    store.broken.clear();
    await flush(1_000);
    await cache.get('x');
    expect(cache.stats().storeBreaker).toBe('closed');
    asked = store.calls.length;
    await cache.get('x');
    await cache.get('z');
    expect(store.calls.length).toBe(asked + 2);
  });

  test('is told again of changes it did not take, without anyone asking', async () => {
    const other = new TieredCache<string, string>({ store });
    await cache.set('deleted', 'old');
    await cache.set('replaced', 'old');
    fail();
    await expect(cache.delete('deleted')).rejects.toMatchObject({ operation: 'delete' });
    await expect(cache.set('replaced', 'new')).rejects.toMatchObject({ operation: 'set' });
    expect(await other.get('deleted')).toBeUndefined();
    await flush(5_000);
    expect(cache.stats().unsynced).toBe(2);
    store.broken.clear();
    await flush(2_000);
    expect(cache.stats().unsynced).toBe(0);
    const late = new TieredCache<string, string>({ store });
    expect(await late.getMany(['deleted', 'replaced'])).toEqual(new Map());
    expect(await cache.get('replaced')).toBe('new');
  });

  test('but not again and again while it has not ended the last attempt', async () => {
    const hold = Promise.withResolvers<void>();
    store.before = () => hold.promise;
    const refused = [cache.delete('k'), cache.clear()].map((call) => expect(call).rejects.toThrow());
    await flush(60_000);
    await Promise.all(refused);
    const [deletions, clears] = [store.countOf('deleteMany'), store.countOf('clear')];
    hold.resolve();
    store.before = () => undefined;
    await flush(60_000);
    expect(store.countOf('deleteMany')).toBeLessThanOrEqual(deletions + 1);
    expect(store.countOf('clear')).toBeLessThanOrEqual(clears + 2);
    expect(cache.stats().unsynced).toBe(0);
  });

  test('and of a clear', async () => {
    await cache.set('k', 'old');
    fail();
    await expect(cache.clear()).rejects.toMatchObject({ operation: 'clear' });
    store.broken.clear();
    await flush(1_000);
    expect(await new TieredCache<string, string>({ store }).get('k')).toBeUndefined();
    expect(cache.stats().unsynced).toBe(0);
  });

  test('keeps no process and no timer alive once the cache is closed', async () => {
    fail();
    await expect(cache.delete('k')).rejects.toThrow();
    await cache.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a change that gets through does not stand for a later one that was refused meanwhile', async () => {
    fail();
    for (let call = 0; call < 3; call++) await cache.get('x');
    store.broken.clear();
    await flush(1_000);
    const gate = Promise.withResolvers<void>();
    store.before = (operation) => (operation === 'setMany' ? gate.promise : undefined);
    const probe = cache.set('k', 'old');
    await expect(cache.delete('k')).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
    gate.resolve();
    await probe;
    expect(cache.stats().unsynced).toBe(1);
    expect(await cache.get('k')).toBeUndefined();
    await flush(1_000);
    expect(cache.stats().unsynced).toBe(0);
    expect(await new TieredCache<string, string>({ store }).get('k')).toBeUndefined();
  });

  test('nor does a clear', async () => {
    fail();
    for (let call = 0; call < 3; call++) await cache.get('x');
    store.broken.clear();
    await flush(1_000);
    const gate = Promise.withResolvers<void>();
    store.after = (operation) => (operation === 'clear' ? gate.promise : undefined);
    const probe = cache.clear();
    await new TieredCache<string, string>({ store }).set('k', 'old');
    await expect(cache.delete('k')).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
    gate.resolve();
    await probe;
    expect(await cache.get('k')).toBeUndefined();
  });

  test('is not waited for by readers once it has not taken a change in time', async () => {
    await cache.set('deleted', 'old');
    store.before = (operation) =>
      operation === 'clear' || operation === 'deleteMany' ? new Promise(() => {}) : undefined;
    for (const change of [() => cache.delete('deleted'), () => cache.clear()]) {
      const changed = expect(change()).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
      await flush(100);
      await changed;
      // Without time going on.
      expect(await cache.get('deleted')).toBeUndefined();
      expect(await cache.getOrLoad('deleted', () => 'loaded')).toBe('loaded');
      await cache.getOrLoadMany(['deleted', 'other'], (keys) => new Map(keys.map((key) => [key, 'loaded'])));
    }
  });

  test('never is with breakAfter: Infinity', async () => {
    const stubborn = new TieredCache<string, string>({ store, breakAfter: Infinity });
    fail();
    for (let call = 0; call < 50; call++) await stubborn.get('x');
    expect(stubborn.stats()).toMatchObject({ storeBreaker: 'closed', storeFailures: 50 });
  });
});

describe('a bus that fails', () => {
  test('is told again of a change, though an earlier one of the same key got through later', async () => {
    const bus = new FakeBus();
    const make = (): TieredCache<string, string> => new TieredCache<string, string>({ store, bus });
    const [a, b] = [make(), make()];
    const gate = Promise.withResolvers<void>();
    const publish = bus.publish.bind(bus);
    bus.publish = async (message) => {
      await publish(message);
      await gate.promise;
    };
    const first = a.set('k', 'old');
    await flush();
    expect(await b.get('k')).toBe('old');
    bus.publish = publish;
    bus.broken = true;
    await expect(a.set('k', 'new')).rejects.toMatchObject({ code: 'PERF_CACHE_BUS' });
    bus.broken = false;
    gate.resolve();
    await first;
    expect(await b.get('k')).toBe('old');
    await flush(1_000);
    expect(await b.get('k')).toBe('new');
  });

  test('is told again: others hear of the change late, but hear of it', async () => {
    const bus = new FakeBus();
    const make = (): TieredCache<string, string> => new TieredCache<string, string>({ store, bus });
    const [a, b] = [make(), make()];
    await a.set('k', 'old', { tags: ['t'] });
    await a.set('l', 'old', { tags: ['t'] });
    await b.getMany(['k', 'l']);
    bus.broken = true;
    await expect(a.set('k', 'new')).rejects.toMatchObject({ code: 'PERF_CACHE_BUS' });
    await expect(a.invalidateTags(['t'])).rejects.toMatchObject({ code: 'PERF_CACHE_BUS' });
    expect(await b.get('k')).toBe('old');
    await flush(3_000);
    bus.broken = false;
    await flush(1_000);
    expect(await b.get('k')).toBe('new');
    expect(await b.get('l')).toBeUndefined();
    await a.close();
    await b.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('options of the tiers', () => {
  test.each([
    ['softTimeout', 0],
    ['refreshAhead', -1],
    ['refreshAhead', NaN],
    ['ttlJitter', 1.1],
    ['ttlJitter', '0.1'],
    ['breakAfter', 0],
    ['breakAfter', 1.5],
    ['breakFor', Infinity],
    ['breakFor', 0],
    ['leaseTtl', 9],
    ['leaseTtl', 2 ** 31],
    ['singleFlight', 'global'],
    ['ttl', NaN],
    ['staleFor', -1],
  ])('%s: %s is refused by name', (name, value) => {
    expect(() => new TieredCache({ [name]: value })).toThrow(new RegExp(`\`${name}\` must be`));
  });
});
