import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '@perf/testkit';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, type TieredCacheOptions } from '../src/index.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeStore } from './fake-store.ts';

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

let store: FakeStore;
let bus: FakeBus;
beforeEach(() => {
  store = new FakeStore();
  bus = new FakeBus();
});
const make = (options: TieredCacheOptions<string, string> = {}): TieredCache<string, string> =>
  new TieredCache<string, string>({ store, bus, ...options });

describe('tags', () => {
  test('end every value that has one, in both tiers and in other processes, and no other value', async () => {
    const [a, b] = [make(), make()];
    await a.set('one', '1', { tags: ['odd', 'small'] });
    await a.set('two', '2', { tags: ['even', 'small'] });
    await a.getOrLoad('nine', () => '9', { tags: ['odd'] });
    await a.set('none', '0');
    const keys = ['one', 'two', 'nine', 'none'];
    await settle();
    expect([...(await b.getMany(keys)).keys()]).toEqual(keys);
    await a.invalidateTags(['odd', 'never used']);
    for (const cache of [a, b, make()]) expect([...(await cache.getMany(keys)).keys()]).toEqual(['two', 'none']);
  });

  test('without a store and a bus too', async () => {
    const cache = new TieredCache<string, string>();
    await cache.set('k', 'v', { tags: ['t'] });
    await cache.invalidateTags(['t']);
    expect(await cache.get('k')).toBeUndefined();
    expect(cache.size).toBe(0);
    await cache.set('k', 'again', { tags: ['t'] });
    expect(await cache.get('k')).toBe('again');
  });

  test('may be found out from the loaded value', async () => {
    const cache = make();
    const loader = vi.fn(async () => 'v');
    const options = { tags: (value: string, key: string) => [`${key}=${value}`] };
    await cache.getOrLoad('k', loader, options);
    await settle();
    await cache.invalidateTags(['k=other']);
    await cache.getOrLoad('k', loader, options);
    expect(loader).toHaveBeenCalledTimes(1);
    await cache.invalidateTags(['k=v']);
    await cache.getOrLoad('k', loader, options);
    expect(loader).toHaveBeenCalledTimes(2);
  });

  test.each([
    ['given', ['t']],
    ['told by the value', (): string[] => ['t']],
  ])(
    '%s: a load under way when they are invalidated is for its callers only, and newcomers load anew',
    async (_, tags) => {
      const cache = make();
      const held = Promise.withResolvers<string>();
      const old = cache.getOrLoad('k', () => held.promise, { tags });
      await settle();
      await cache.invalidateTags(['t']);
      const fresh = cache.getOrLoad('k', () => 'new', { tags });
      held.resolve('old');
      expect(await old).toBe('old');
      expect(await fresh).toBe('new');
      await settle();
      expect(await cache.get('k')).toBe('new');
      expect(await make().get('k')).toBe('new');
    },
  );

  test('a load under way of a value without the tag is joined, and kept', async () => {
    const cache = make();
    const held = Promise.withResolvers<string>();
    const first = cache.getOrLoad('k', () => held.promise, { tags: ['mine'] });
    await settle();
    await cache.invalidateTags(['other']);
    const second = cache.getOrLoad('k', () => 'another', { tags: ['mine'] });
    held.resolve('v');
    expect(await Promise.all([first, second])).toEqual(['v', 'v']);
    await settle();
    expect(await cache.get('k')).toBe('v');
  });

  test('what is read from the store while a tag of it is invalidated is not kept', async () => {
    await make().set('k', 'old', { tags: ['t'] });
    const cache = make();
    const held = Promise.withResolvers<void>();
    store.after = (operation) => (operation === 'getMany' ? held.promise : undefined);
    const read = cache.get('k');
    await settle();
    const invalidation = cache.invalidateTags(['t']);
    await settle();
    store.after = () => undefined;
    held.resolve();
    expect(await read).toBe('old');
    await invalidation;
    expect(await cache.get('k')).toBeUndefined();
  });

  test('an invalidation the store did not take is a StoreError, hides what it ends, and is repeated', async () => {
    vi.useFakeTimers();
    const [a, b] = [make({ breakAfter: Infinity }), make()];
    await a.set('k', 'old', { tags: ['t'] });
    await a.set('other', 'fine', { tags: ['u'] });
    store.broken.add('invalidateTags');
    await expect(a.invalidateTags(['t'])).rejects.toMatchObject({ operation: 'invalidateTags' });
    expect(a.stats().unsynced).toBe(1);
    expect(await a.get('k')).toBeUndefined();
    expect(await a.get('other')).toBe('fine');
    expect(await a.getOrLoad('k', () => 'new', { tags: ['t'] })).toBe('new');
    store.broken.clear();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(a.stats().unsynced).toBe(0);
    expect(await b.get('k')).toBeUndefined();
    vi.useRealTimers();
  });

  test('a set that is under way when its tag is invalidated does not outlive that', async () => {
    const cache = make();
    const held = Promise.withResolvers<void>();
    store.before = (operation) => (operation === 'setMany' ? held.promise : undefined);
    const set = cache.set('k', 'v', { tags: ['t'] });
    const invalidation = cache.invalidateTags(['t']);
    held.resolve();
    await Promise.all([set, invalidation]);
    expect(await cache.get('k')).toBeUndefined();
    expect(await make().get('k')).toBeUndefined();
  });

  test.each([
    ['no array', 't'],
    ['an array of other things', [1]],
    ['a hole', [undefined]],
  ])('%s is refused, and nothing has changed', async (_, tags) => {
    const cache = make();
    await cache.set('k', 'v');
    const bad = tags as unknown as string[];
    for (const call of [
      () => cache.invalidateTags(bad),
      () => cache.set('k', 'w', { tags: bad }),
      () => cache.getOrLoad('new', () => 'w', { tags: bad }),
      () => cache.getOrLoad('new', () => 'w', { tags: () => bad }),
    ]) {
      await expect(call()).rejects.toThrow(/`tags` must be an array of strings/);
    }
    expect(await cache.get('k')).toBe('v');
    expect(await cache.get('new')).toBeUndefined();
  });

  test('with lone surrogates are those that UTF-8 makes of them, everywhere', async () => {
    const cache = make();
    await cache.set('k', 'v', { tags: ['\ud800'] });
    await cache.invalidateTags(['\udc00']);
    expect(await cache.get('k')).toBeUndefined();
  });
});

describe('ttl', () => {
  test('may be found out from the loaded value', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, string>({ clock });
    const load = (value: string): Promise<string> =>
      cache.getOrLoad('k', () => value, { ttl: (loaded) => (loaded === 'short' ? 10 : 100) });
    await load('short');
    clock.advance(10);
    expect(await load('long')).toBe('long');
    clock.advance(99);
    expect(await load('x')).toBe('long');
    clock.advance(1);
    expect(await load('x')).toBe('x');
  });

  test.each([NaN, -1, 0, '10', undefined])('%s from such a function fails the load', async (ttl) => {
    const cache = new TieredCache<string, string>();
    await expect(cache.getOrLoad('k', () => 'v', { ttl: () => ttl as number })).rejects.toThrow(/`ttl` must be/);
    expect(await cache.get('k')).toBeUndefined();
  });

  test('is shortened at random by a share of ttlJitter', async () => {
    const clock = new ManualClock();
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const shared = new FakeStore(() => clock.now());
    const cache = new TieredCache<string, string>({ clock, store: shared, ttl: 100, ttlJitter: 0.2 });
    await cache.set('set', 'v');
    await cache.getOrLoad('loaded', () => 'v');
    await settle();
    random.mockRestore();
    const other = new TieredCache<string, string>({ clock, store: shared });
    clock.advance(89);
    expect([...(await other.getMany(['set', 'loaded'])).keys()]).toEqual(['set', 'loaded']);
    clock.advance(1);
    for (const each of [cache, other]) expect(await each.getMany(['set', 'loaded'])).toEqual(new Map());
  });

  test('that is infinite stays so', async () => {
    const clock = new ManualClock();
    const cache = new TieredCache<string, string>({ clock, ttlJitter: 1 });
    await cache.set('k', 'v');
    clock.advance(1e12);
    expect(await cache.get('k')).toBe('v');
  });
});
