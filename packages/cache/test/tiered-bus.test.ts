import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '@perf/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { TieredCache } from '../src/index.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeStore } from './fake-store.ts';

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

const clock = new ManualClock();
let store: FakeStore;
let bus: FakeBus;
let a: TieredCache<string, string>;
let b: TieredCache<string, string>;

beforeEach(() => {
  store = new FakeStore(() => clock.now());
  bus = new FakeBus();
  [a, b] = [make(), make()];
});

function make(namespace = 'default'): TieredCache<string, string> {
  return new TieredCache<string, string>({ store, bus, namespace, clock, ttl: 100_000 });
}

describe('a bus', () => {
  test('makes others forget what was set, deleted and cleared', async () => {
    await a.set('k', '1');
    expect(await b.get('k')).toBe('1');
    await a.set('k', '2');
    expect(await b.get('k')).toBe('2');
    await a.delete('k');
    expect(await b.get('k')).toBeUndefined();
    await a.set('k', '3');
    expect(await b.get('k')).toBe('3');
    await a.clear();
    expect(await b.get('k')).toBeUndefined();
  });

  test('does not make a cache forget what it has set itself, nor other namespaces', async () => {
    const other = make('other');
    await other.set('k', 'other');
    await a.set('k', '1');
    expect([a.size, other.size]).toEqual([1, 1]);
  });

  test('carries every kind of key', async () => {
    const one = new TieredCache<string | number | undefined, string>({ store, bus });
    const two = new TieredCache<string | number | undefined, string>({ store, bus });
    for (const key of ['a,b', '#1', 1, NaN, undefined, '']) {
      await one.set(key, 'old');
      expect(await two.get(key)).toBe('old');
      await one.set(key, 'new');
      expect(await two.get(key)).toBe('new');
    }
  });

  test('a message that overtakes the answer of the store: the answer is returned, not kept', async () => {
    await a.set('k', 'OLD');
    const hold = Promise.withResolvers<void>();
    store.after = (operation) => (operation === 'getMany' ? hold.promise : undefined);
    const read = b.get('k');
    await settle();
    store.after = () => undefined;
    await a.set('k', 'NEW');
    hold.resolve();
    expect(await read).toBe('OLD');
    expect(await b.get('k')).toBe('NEW');
  });

  test('a change during a load is heard of', async () => {
    const answer = Promise.withResolvers<string>();
    const call = a.getOrLoad('k', () => answer.promise);
    await settle();
    await b.set('k', 'NEW');
    answer.resolve('OLD');
    expect(await call).toBe('OLD');
    await settle();
    expect(await a.get('k')).toBe('NEW');
  });

  test('a failure to publish is a BusError; the change itself is made', async () => {
    bus.broken = true;
    await expect(a.set('k', '1')).rejects.toMatchObject({
      name: 'BusError',
      code: 'PERF_CACHE_BUS',
      cause: new Error('the bus is broken'),
    });
    expect(await a.get('k')).toBe('1');
    expect(await b.get('k')).toBe('1');
    expect(a.stats().busFailures).toBe(1);
  });

  test('others are told even if the store does not take the change', async () => {
    await a.set('k', '1');
    expect(await b.get('k')).toBe('1');
    store.broken.add('deleteMany');
    await expect(a.delete('k')).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
    expect(b.size).toBe(0);
  });

  test('when neither the store nor the bus takes a change, it is a StoreError: the change has not happened', async () => {
    store.broken.add('deleteMany');
    bus.broken = true;
    await expect(a.delete('k')).rejects.toMatchObject({ name: 'StoreError', code: 'PERF_CACHE_STORE' });
    expect(a.stats()).toMatchObject({ busFailures: 1, unsynced: 1 });
  });
});

describe('a change that the store takes late', () => {
  test('is told again: others may have read since what it ends', async () => {
    const [one, two] = [make(), make()];
    const repeating = new TieredCache<string, string>({ store, bus, breakFor: 1 });
    await one.set('k', 'old');
    for (const [broken, change] of [
      ['deleteMany', () => repeating.delete('k')],
      ['clear', () => repeating.clear()],
    ] as const) {
      await one.set('k', 'old');
      store.broken.add(broken);
      await expect(change()).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
      expect(await two.get('k')).toBe('old');
      store.broken.clear();
      await expect.poll(() => repeating.stats().unsynced).toBe(0);
      await settle();
      expect([await two.get('k'), two.size]).toEqual([undefined, 0]);
    }
    await repeating.close();
  });

  test('also when it is this process that asks for the key', async () => {
    const reader = make();
    await a.set('k', 'old');
    store.broken.add('deleteMany');
    await expect(a.delete('k')).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
    expect(await reader.get('k')).toBe('old');
    store.broken.clear();
    expect(await a.get('k')).toBeUndefined();
    await settle();
    expect(await reader.get('k')).toBeUndefined();
  });
});

describe('a bus that loses its connection', () => {
  test('nothing from before the gap is served after it', async () => {
    await a.set('k', 'OLD');
    expect(await b.get('k')).toBe('OLD');
    bus.connect(false);
    await a.set('k', 'NEW'); // nobody hears of it
    bus.connect(true);
    expect(await b.get('k')).toBe('NEW');
  });

  test('what is being read and loaded across the gap is not kept', async () => {
    const answer = Promise.withResolvers<string>();
    const call = b.getOrLoad('k', () => answer.promise);
    await settle();
    bus.connect(false);
    bus.connect(true);
    answer.resolve('from before');
    expect(await call).toBe('from before');
    await settle();
    expect(b.size).toBe(0);
  });

  test('meanwhile values stay in memory for a second at most', async () => {
    bus.connect(false);
    await a.set('k', '1');
    expect(await b.get('k')).toBe('1');
    await a.set('k', '2');
    clock.advance(999);
    expect(await b.get('k')).toBe('1');
    clock.advance(1);
    expect(await b.get('k')).toBe('2');
  });

  test('a cache that starts without a connection is no different', async () => {
    bus.connect(false);
    const c = make();
    await c.set('k', '1');
    clock.advance(1_000);
    expect(c.size + (await c.getMany(['k'])).size).toBeGreaterThan(0);
    bus.connect(true);
    await c.set('k', '1');
    clock.advance(50_000);
    store.broken.add('getMany');
    expect(await c.get('k')).toBe('1');
  });
});

test('close ends the subscription', async () => {
  const listeners = bus.listeners;
  await a.close();
  await a.close();
  expect(bus.listeners).toBe(listeners - 1);
});
