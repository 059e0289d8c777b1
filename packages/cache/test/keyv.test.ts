import { type RedisServer, startRedis } from '@perf/testkit';
import KeyvRedis from '@keyv/redis';
import { Keyv } from 'keyv';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Store, StoreError, TieredCache } from '../src/index.ts';
import { type KeyvAdapter, keyvStore } from '../src/keyv.ts';
import { storeContract } from './contract/store-contract.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const write = { key: 'k', bytes: Buffer.from('v'), ttl: 60_000 };
const textOf = async (store: Store, key = 'k'): Promise<string | undefined> => {
  const [entry] = await store.getMany('test', [key]);
  return entry?.bytes && Buffer.from(entry.bytes).toString();
};
const versionOf = async (store: Store): Promise<string> => (await store.getMany('test', ['k']))[0]?.version as string;

let server: RedisServer;
const adapters: KeyvRedis<string>[] = [];
function connect(): KeyvRedis<string> {
  const adapter = new KeyvRedis<string>(server.url);
  adapter.on('error', () => {});
  adapters.push(adapter);
  return adapter;
}
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await Promise.all(adapters.map((adapter) => adapter.disconnect(true).catch(() => {})));
  await server.stop();
});

/** Two stores of one process, over one adapter. */
function contractOver(name: string, make: () => KeyvAdapter): void {
  storeContract(
    `keyvStore over ${name}`,
    async () => {
      const adapter = make();
      return { stores: [keyvStore(adapter), keyvStore(adapter)], wait };
    },
    { leases: false },
  );
}
contractOver('a Map', () => new Map<string, unknown>());
contractOver('a Keyv over a Map', () => new Keyv({ store: new Map() }));
contractOver('@keyv/redis', connect);
contractOver('a Keyv over @keyv/redis', () => new Keyv({ store: connect(), namespace: 'app' }));

describe('keyvStore', () => {
  test('gives the adapter keys named prefix:namespace:key, and a time to live no shorter than changes are remembered', async () => {
    const adapter = new Map<string, unknown>();
    const set = vi.spyOn(adapter as KeyvAdapter, 'set');
    const store = keyvStore(adapter, { prefix: 'app', fenceFor: 5_000 });
    await store.setMany('test', [{ ...write, ttl: 10 }]);
    await store.setMany('test', [{ ...write, ttl: 10_000 }]);
    await store.setMany('test', [{ ...write, ttl: Infinity }]);
    await store.deleteMany('test', ['k']);
    expect(set.mock.calls.map(([key, , ttl]) => [key, ttl])).toEqual([
      ['app:test', undefined],
      ['app:test:k', 5_000],
      ['app:test:k', expect.closeTo(10_000, -3)],
      ['app:test:k', undefined],
      ['app:test:k', 5_000],
    ]);
  });

  test('gives an adapter of Keyv 6 the time of expiry', async () => {
    const adapter = Object.assign(new Map<string, unknown>(), { capabilities: { expires: true } });
    const set = vi.spyOn(adapter as KeyvAdapter, 'set');
    await keyvStore(adapter).setMany('test', [write]);
    expect(Math.abs((set.mock.lastCall?.[2] ?? 0) - Date.now() - 60_000)).toBeLessThan(10_000);
  });

  test('asks for many at once where the adapter can', async () => {
    const adapter = connect();
    const store = keyvStore(adapter);
    await store.clear('many');
    const getMany = vi.spyOn(adapter, 'getMany');
    const setMany = vi.spyOn(adapter, 'setMany');
    await store.setMany('many', [write, { ...write, key: 'l' }]);
    getMany.mockClear();
    expect((await store.getMany('many', ['k', 'l', 'm'])).map((entry) => entry.bytes?.length)).toEqual([
      1,
      1,
      undefined,
    ]);
    expect([getMany.mock.calls.length, setMany.mock.calls.length]).toEqual([1, 1]);
  });

  test('fences what another process changed before the comparison', async () => {
    const [here, there] = [keyvStore(connect()), keyvStore(connect())];
    const version = await versionOf(here);
    await there.deleteMany('test', ['k']);
    expect(await here.setMany('test', [{ ...write, ifVersion: version }])).toEqual([false]);
    const later = await versionOf(here);
    await there.clear('test');
    expect(await here.setMany('test', [{ ...write, ifVersion: later }])).toEqual([false]);
    expect(await here.setMany('test', [{ ...write, ifVersion: await versionOf(here) }])).toEqual([true]);
    expect(await textOf(there)).toBe('v');
  });

  test('a namespace cleared by another process while it is written stays cleared', async () => {
    const adapter = new Map<string, unknown>();
    // Another object over the same storage, as another process has: they do not take turns.
    const foreign: KeyvAdapter = { get: (key) => adapter.get(key), set: (key, value) => adapter.set(key, value) };
    const [here, there] = [keyvStore(adapter), keyvStore(foreign)];
    const version = await versionOf(here);
    const set = vi.spyOn(adapter as KeyvAdapter, 'set').mockImplementationOnce(async (key, value) => {
      await there.clear('test');
      Map.prototype.set.call(adapter, key, value);
    });
    expect(await here.setMany('test', [{ ...write, ifVersion: version }])).toEqual([false]);
    expect(set).toHaveBeenCalled();
    expect(await textOf(here)).toBeUndefined();
  });

  test('a write whose load took longer than changes are remembered is refused', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const store = keyvStore(new Map(), { fenceFor: 1_000 });
    const version = await versionOf(store);
    vi.advanceTimersByTime(1_000);
    expect(await store.setMany('test', [{ ...write, ifVersion: version }])).toEqual([false]);
    vi.useRealTimers();
  });

  test('many writes, deletions and clears side by side neither wait for each other for ever nor tear anything', async () => {
    const slow = new Map<string, unknown>();
    const adapter: KeyvAdapter = {
      get: async (key) => (await wait(Math.random()), slow.get(key)),
      set: async (key, value) => (await wait(Math.random()), slow.set(key, value)),
    };
    const stores = [keyvStore(adapter), keyvStore(adapter)] as const;
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const store = stores[index % 2] as Store;
        if (index % 10 === 9) await store.clear('test');
        else if (index % 5 === 4) await store.deleteMany('test', ['a', 'b']);
        else
          await store.setMany('test', [
            { ...write, key: 'b' },
            { ...write, key: 'a' },
          ]);
      }),
    );
    await stores[0].setMany('test', [{ ...write, key: 'a' }]);
    expect(await textOf(stores[1], 'a')).toBe('v');
  });

  test('an adapter that keeps its errors to itself is found out', async () => {
    const adapter = new Map<string, unknown>();
    await using cache = new TieredCache<string, string>({ store: keyvStore(adapter) });
    await cache.set('k', 'old');
    const set = vi.spyOn(adapter as KeyvAdapter, 'set').mockImplementation(() => undefined);
    for (const change of [cache.set('k', 'new'), cache.delete('k'), cache.clear()]) {
      // oxlint-disable-next-line no-await-in-loop
      await expect(change).rejects.toBeInstanceOf(StoreError);
    }
    expect(await cache.getOrLoad('k', () => 'loaded')).toBe('loaded');
    set.mockRestore();
  });

  test('a server that is gone is a StoreError; loads are served', async () => {
    const gone = await startRedis();
    const adapter = new KeyvRedis<string>(gone.url, { connectionTimeout: 200 });
    adapter.on('error', () => {});
    await using cache = new TieredCache<string, string>({ store: keyvStore(adapter), storeTimeout: 1_000 });
    await cache.set('k', 'v');
    await gone.stop();
    await expect(cache.delete('k')).rejects.toMatchObject({ code: 'PERF_CACHE_STORE' });
    expect(await cache.getOrLoad('k', () => 'loaded')).toBe('loaded');
    await adapter.disconnect(true).catch(() => {});
  });

  test('what is not its own is nothing', async () => {
    const adapter = new Map<string, unknown>();
    const store = keyvStore(adapter);
    await store.setMany('test', [write]);
    for (const foreign of ['text', 'perf1:', 5, null, { value: 1 }]) {
      adapter.set('perf:test:k', foreign);
      // oxlint-disable-next-line no-await-in-loop
      expect(await textOf(store)).toBeUndefined();
    }
    adapter.set('perf:test', 'no generation');
    await store.setMany('test', [write]);
    expect(await textOf(store)).toBe('v');
  });

  test('arguments are checked', () => {
    expect(() => keyvStore({} as KeyvAdapter)).toThrow('`adapter.get`');
    expect(() => keyvStore(undefined as unknown as KeyvAdapter)).toThrow(TypeError);
    expect(() => keyvStore(new Map(), { prefix: 'a:b' })).toThrow('`prefix`');
    expect(() => keyvStore(new Map(), { fenceFor: Infinity })).toThrow('`fenceFor`');
    expect(() => keyvStore(new Map(), { ttl: 1 } as object)).toThrow('no option `ttl`');
  });
});
