import { ManualClock } from '@perf/testkit';
import { describe, expect, test, vi } from 'vitest';
import { TieredCache, memoize } from '../src/index.ts';
import { FakeStore } from './fake-store.ts';

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe('memoize', () => {
  test('calls once for equal arguments, also when the calls overlap', async () => {
    const fn = vi.fn(async (a: { x: number; y?: number }, b = 1) => a.x + b);
    const memoized = memoize(new TieredCache<string, number>(), fn);
    expect(await Promise.all([memoized({ x: 1, y: 2 }), memoized({ y: 2, x: 1 }), memoized({ x: 2 }, 5)])).toEqual([
      2, 2, 7,
    ]);
    expect(await memoized({ x: 1, y: 2 })).toBe(2);
    expect(fn).toHaveBeenCalledTimes(2);
  });

  test('keeps the name and the number of parameters', () => {
    async function twoArguments(a: number, b: number): Promise<number> {
      return a + b;
    }
    const memoized = memoize(new TieredCache<string, number>(), twoArguments);
    expect([memoized.name, memoized.length]).toEqual(['twoArguments', 2]);
  });

  test('functions do not share results, whatever they are called', async () => {
    const cache = new TieredCache<string, string>();
    const one = memoize(cache, async () => 'one');
    const two = memoize(cache, async () => 'two');
    const sameNameA = memoize(cache, { get: async () => 'a' }.get);
    const sameNameB = memoize(cache, { get: async () => 'b' }.get);
    expect([await one(), await two(), await sameNameA(), await sameNameB()]).toEqual(['one', 'two', 'a', 'b']);
    expect(sameNameA.name).toBe(sameNameB.name);
  });

  test('a rejection is shared, and not kept', async () => {
    let calls = 0;
    const memoized = memoize(new TieredCache<string, number>(), async () => {
      if (++calls === 1) throw new Error('first');
      return calls;
    });
    const outcomes = await Promise.allSettled([memoized(), memoized()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await memoized()).toBe(2);
  });

  test('a function that throws at once rejects', async () => {
    const memoized = memoize(new TieredCache<string, number>(), (): number => {
      throw new Error('at once');
    });
    await expect(memoized()).rejects.toThrow('at once');
  });

  test('invalidate forgets one call, and one only', async () => {
    const fn = vi.fn(async (id: number | undefined) => ({ id }));
    const memoized = memoize(new TieredCache<string, object>(), fn);
    for (const id of [0, 1, undefined]) await memoized(id);
    await memoized.invalidate(0);
    for (const id of [0, 1, undefined]) await memoized(id);
    expect(fn).toHaveBeenCalledTimes(4);
  });

  test('keyOf says where a result is', async () => {
    const cache = new TieredCache<string, number>();
    const memoized = memoize(cache, async (n: number) => n);
    await memoized(5);
    expect(await cache.get(memoized.keyOf(5))).toBe(5);
    expect(await cache.get(memoized.keyOf(6))).toBeUndefined();
  });

  test('key chooses what tells calls apart, and keeps types apart', async () => {
    const fn = vi.fn(async (request: { id: string | number | undefined; at: Date }) => request.id);
    const memoized = memoize(new TieredCache<string, unknown>(), fn, { key: ({ id }) => id });
    for (const id of ['1', 1, undefined, 'undefined', '1']) expect(await memoized({ id, at: new Date() })).toBe(id);
    expect(fn).toHaveBeenCalledTimes(4);
  });

  test('refresh calls the function whatever there is, and keeps the result', async () => {
    const cache = new TieredCache<string, number>();
    let round = 0;
    const fn = vi.fn(async (base: number) => base + round++);
    const memoized = memoize(cache, fn);
    expect(await memoized(10)).toBe(10);
    expect(await memoized.refresh(10)).toBe(11);
    expect(await memoized(10)).toBe(11);
    expect(await memoized(20)).toBe(22);
    fn.mockRejectedValueOnce(new Error('no'));
    await expect(memoized.refresh(10)).rejects.toThrow('no');
    expect(await memoized(10)).toBe(11);
  });

  test('tags are those of the results', async () => {
    const cache = new TieredCache<string, { owner: string }>();
    const fn = vi.fn(async (owner: string, _id: number) => ({ owner }));
    const memoized = memoize(cache, fn, { tags: (result, _owner, id) => [result.owner, `id ${id}`] });
    for (const owner of ['ann', 'bob']) for (const id of [1, 2]) await memoized(owner, id);
    await cache.invalidateTags(['ann']);
    for (const owner of ['ann', 'bob']) for (const id of [1, 2]) await memoized(owner, id);
    expect(fn).toHaveBeenCalledTimes(6);
    await cache.invalidateTags(['id 2']);
    for (const owner of ['ann', 'bob']) for (const id of [1, 2]) await memoized(owner, id);
    expect(fn).toHaveBeenCalledTimes(8);
  });

  test('ttl is that of the results', async () => {
    const clock = new ManualClock();
    const fn = vi.fn(async () => 1);
    const memoized = memoize(new TieredCache<string, number>({ clock }), fn, { ttl: 10 });
    await memoized();
    clock.advance(10);
    await memoized();
    expect(fn).toHaveBeenCalledTimes(2);
  });

  test('arguments that no key can be made of reject, and the function is not called', async () => {
    const fn = vi.fn<(value: unknown) => Promise<number>>(async () => 1);
    const memoized = memoize(new TieredCache<string, number>(), fn);
    await expect(memoized(() => 1)).rejects.toThrow(TypeError);
    await expect(memoized.invalidate(Symbol('s'))).rejects.toThrow(TypeError);
    expect(fn).not.toHaveBeenCalled();
  });

  test('a name shares results through the store; without one nothing is shared', async () => {
    const store = new FakeStore();
    const caches = [new TieredCache<string, number>({ store }), new TieredCache<string, number>({ store })] as const;
    const fn = vi.fn(async (n: number) => n);
    const [namedA, namedB] = caches.map((cache) => memoize(cache, fn, { name: 'fn' }));
    const [ownA, ownB] = caches.map((cache) => memoize(cache, fn));
    await namedA?.(1);
    await settle();
    await namedB?.(1);
    expect(fn).toHaveBeenCalledTimes(1);
    await ownA?.(1);
    await settle();
    await ownB?.(1);
    expect(fn).toHaveBeenCalledTimes(3);
  });

  test('a name is given once in a cache, and is no prefix of another', async () => {
    const cache = new TieredCache<string, string>();
    const a = memoize(cache, async (x: string) => `a ${x}`, { name: 'f', key: (x) => x });
    const b = memoize(cache, async (x: string) => `b ${x}`, { name: 'f"', key: (x) => x });
    const c = memoize(cache, async (x: string) => `c ${x}`, { name: 'f"=', key: (x) => x });
    expect([await a('"=x'), await b('=x'), await c('x')]).toEqual(['a "=x', 'b =x', 'c x']);
    expect(() => memoize(cache, async () => '', { name: 'f' })).toThrow(/`name` must be unique/);
    expect(() => memoize(new TieredCache<string, string>(), async () => '', { name: 'f' })).not.toThrow();
  });

  test('arguments are checked', () => {
    const cache = new TieredCache<string, number>();
    expect(() => memoize(5 as never, async () => 1)).toThrow('`cache` must be a TieredCache');
    expect(() => memoize(cache, 'fn' as never)).toThrow(/`fn` must be a function/);
    expect(() => memoize(cache, async () => 1, { key: 'k' as never })).toThrow(/`key`/);
    expect(() => memoize(cache, async () => 1, { name: '' })).toThrow(/`name`/);
    expect(() => memoize(cache, async () => 1, { ttl: 0 })).toThrow(/`ttl`/);
    expect(() => memoize(cache, async () => 1, { tag: [] } as never)).toThrow(/no option `tag`/);
  });
});
