import { type RedisServer, startRedis } from '@perf/testkit';
import KeyvRedis from '@keyv/redis';
import fc from 'fast-check';
import { Keyv } from 'keyv';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Store, StoreError, TieredCache } from '../src/index.ts';
import { type KeyvAdapter, keyvStore } from '../src/keyv.ts';
import { storeContract } from './contract/store-contract.ts';
import { FakeStore } from './fake-store.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const write = { key: 'k', bytes: Buffer.from('v'), ttl: 60_000 };
const textOf = async (store: Store, key = 'k'): Promise<string | undefined> => {
  const [entry] = await store.getMany('test', [key]);
  return entry?.bytes && Buffer.from(entry.bytes).toString();
};
const versionOf = async (store: Store): Promise<string> => (await store.getMany('test', ['k']))[0]?.version as string;

/** Another object over the same storage, as another process has: they do not take turns. */
function foreignTo(cells: Map<string, unknown>): KeyvAdapter {
  return { get: (key) => cells.get(key), set: (key, value) => cells.set(key, value) };
}

/** An adapter that lets `work` happen before one of its calls. */
function interrupted(
  cells: Map<string, unknown>,
  moment: number,
  work: () => Promise<unknown>,
): KeyvAdapter & { start(): void; readonly isDone: boolean } {
  let left = Infinity;
  const pause = async (): Promise<void> => {
    if (left-- === 0) await work();
  };
  return {
    get: async (key) => (await pause(), cells.get(key)),
    set: async (key, value) => (await pause(), cells.set(key, value)),
    start: () => (left = moment),
    get isDone() {
      return left < 0;
    },
  };
}

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
    const [here, there] = [keyvStore(adapter), keyvStore(foreignTo(adapter))];
    const version = await versionOf(here);
    const set = vi.spyOn(adapter as KeyvAdapter, 'set').mockImplementationOnce(async (key, value) => {
      await there.clear('test');
      Map.prototype.set.call(adapter, key, value);
    });
    expect(await here.setMany('test', [{ ...write, ifVersion: version }])).toEqual([false]);
    expect(set).toHaveBeenCalled();
    expect(await textOf(here)).toBeUndefined();
  });

  describe('tags', () => {
    const tagged = { ...write, tags: ['x'] };

    test('hinted at are read in the same question as the entry', async () => {
      const adapter = connect();
      const store = keyvStore(adapter);
      await store.setMany('hinted', [{ ...write, tags: ['x', 'y'] }]);
      const getMany = vi.spyOn(adapter, 'getMany');
      const [entry] = await store.getMany('hinted', ['k'], { tags: ['x', 'y'] });
      expect([entry?.tags, getMany.mock.calls.length]).toEqual([['x', 'y'], 1]);
      await store.getMany('hinted', ['k']);
      expect(getMany.mock.calls.length).toBe(3);
    });

    test('invalidated by another process at any moment of a write end what is written', async () => {
      for (let moment = 0, isOver = false; !isOver; moment++) {
        const cells = new Map<string, unknown>();
        const there = keyvStore(foreignTo(cells));
        const adapter = interrupted(cells, moment, () => there.invalidateTags('test', ['x']));
        const here = keyvStore(adapter);
        // oxlint-disable-next-line no-await-in-loop
        await there.setMany('test', [{ ...tagged, key: 'other' }]);
        for (const hints of [{ tags: ['x'] }, { tags: [] }]) {
          // oxlint-disable-next-line no-await-in-loop
          const [entry] = await there.getMany('test', ['k'], hints);
          adapter.start();
          // oxlint-disable-next-line no-await-in-loop
          await here.setMany('test', [{ ...tagged, ifVersion: entry?.version as string }]);
          if (!adapter.isDone) {
            isOver = true;
            break;
          }
          // oxlint-disable-next-line no-await-in-loop
          expect([await textOf(here), await textOf(there)]).toEqual([undefined, undefined]);
        }
        expect(moment).toBeLessThan(100);
      }
    });

    test('end what another process writes at any moment of the invalidation', async () => {
      for (let moment = 0, isOver = false; !isOver; moment++) {
        const cells = new Map<string, unknown>();
        const there = keyvStore(foreignTo(cells));
        // oxlint-disable-next-line no-await-in-loop
        await there.setMany('test', [{ ...tagged, key: 'other' }]);
        // oxlint-disable-next-line no-await-in-loop
        const [entry] = await there.getMany('test', ['k'], { tags: ['x'] });
        const adapter = interrupted(cells, moment, () =>
          there.setMany('test', [{ ...tagged, ifVersion: entry?.version as string }]),
        );
        adapter.start();
        // oxlint-disable-next-line no-await-in-loop
        await keyvStore(adapter).invalidateTags('test', ['x']);
        // oxlint-disable-next-line no-await-in-loop
        expect(await textOf(there)).toBeUndefined();
        isOver = !adapter.isDone;
      }
    });

    test('whose cell the adapter has lost end what has them', async () => {
      const cells = new Map<string, unknown>();
      const store = keyvStore(cells);
      await store.setMany('test', [tagged]);
      const version = await versionOf(store);
      expect(cells.delete('perf::test:x')).toBe(true);
      expect(await textOf(store)).toBeUndefined();
      await store.setMany('test', [{ ...tagged, key: 'other' }]);
      expect(await textOf(store)).toBeUndefined();
      expect(await textOf(store, 'other')).toBe('v');
      // The history is there, and tells that no tag has been invalidated.
      expect(await store.setMany('test', [{ ...tagged, ifVersion: version }])).toEqual([true]);
      const later = await versionOf(store);
      expect(cells.delete('perf::test')).toBe(true);
      expect(cells.delete('perf::test:x')).toBe(true);
      expect(await store.setMany('test', [{ ...tagged, ifVersion: later }])).toEqual([false]);
    });

    test('an adapter that loses what is known of tags and clears loses entries with it, and brings none back', async () => {
      const step = fc.record({
        does: fc.constantFrom('read', 'read', 'set', 'fenced', 'fenced', 'delete', 'clear', 'tags', 'tags', 'lose'),
        key: fc.constantFrom('a', 'b'),
        tags: fc.subarray(['x', 'y', 'z']),
        which: fc.nat(),
      });
      const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const cells = new Map<string, unknown>();
        const [real, model] = [keyvStore(cells), new FakeStore()];
        const versions = new Map<string, string[]>();
        for (const [index, { does, key, tags, which }] of steps.entries()) {
          const common = [...cells.keys()].filter((name) => !name.startsWith('perf:n:'));
          if (does === 'lose' && common.length > 0) cells.delete(common[which % common.length] as string);
          const plain = { key, bytes: Buffer.from(String(index)), ttl: Infinity, tags };
          const [ifVersion, modelVersion = ''] = versions.get(key) ?? [];
          // oxlint-disable-next-line no-await-in-loop
          await Promise.all(
            [real, model].map(async (store) => {
              if (does === 'set') await store.setMany('n', [plain]);
              if (does === 'delete') await store.deleteMany('n', [key]);
              if (does === 'clear') await store.clear('n');
              if (does === 'tags') await store.invalidateTags('n', tags);
            }),
          );
          if (does === 'fenced' && ifVersion !== undefined) {
            // oxlint-disable-next-line no-await-in-loop
            const [isWritten] = await real.setMany('n', [{ ...plain, ifVersion }]);
            // It may refuse what a store with a better memory takes, and not the other way round.
            // oxlint-disable-next-line no-await-in-loop
            if (isWritten) expect(await model.setMany('n', [{ ...plain, ifVersion: modelVersion }])).toEqual([true]);
          }
          if (does !== 'read') continue;
          const hints = { tags: tags.slice(0, 1) };
          // oxlint-disable-next-line no-await-in-loop
          const entries = [await real.getMany('n', [key], hints), await model.getMany('n', [key])];
          const [found, expected] = entries.map(([entry]) => entry?.bytes && Buffer.from(entry.bytes).toString());
          if (found !== undefined) expect(found).toBe(expected);
          versions.set(
            key,
            entries.map(([entry]) => entry?.version as string),
          );
        }
      });
      await fc.assert(property, { numRuns: 500 });
    });
  });

  test('names with colons, percent signs and lone surrogates keep namespaces, keys and tags apart', async () => {
    const texts = ['', ':', 'a:b', 'a', 'b:c', '%', '%3A', '%25', '\ud800', '\ufffd', '\ufffd#"\\ud800"'];
    const store = keyvStore(new Map());
    const pairs = texts.flatMap((namespace) => texts.map((key) => [namespace, key] as const));
    for (const [namespace, key] of pairs) {
      const bytes = Buffer.from(JSON.stringify([namespace, key]));
      // oxlint-disable-next-line no-await-in-loop
      await store.setMany(namespace, [{ key, bytes, ttl: Infinity, tags: [key] }]);
    }
    await store.invalidateTags('', ['a']);
    await store.invalidateTags('a', ['\ud800']);
    await store.clear('%');
    await store.deleteMany(':', ['']);
    const gone = pairs.filter(
      ([namespace, key]) =>
        ['["","a"]', '["a","\\ud800"]', '[":",""]'].includes(JSON.stringify([namespace, key])) || namespace === '%',
    );
    for (const pair of pairs) {
      const [namespace, key] = pair;
      // oxlint-disable-next-line no-await-in-loop
      const [entry] = await store.getMany(namespace, [key]);
      const text = entry?.bytes && Buffer.from(entry.bytes).toString();
      expect(text).toBe(gone.includes(pair) ? undefined : JSON.stringify(pair));
    }
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

  test('what is not its own is nothing, and neither is what has been altered or put under another key', async () => {
    const adapter = new Map<string, unknown>();
    const store = keyvStore(adapter);
    await store.setMany('test', [{ ...write, bytes: Buffer.from('some value'), tags: ['x'] }]);
    const own = adapter.get('perf:test:k') as string;
    adapter.set('perf:test:l', own);
    expect(await textOf(store, 'l')).toBeUndefined();
    const altered = Array.from(
      own,
      (letter, at) => own.slice(0, at) + (letter === '1' ? '2' : '1') + own.slice(at + 1),
    );
    const cut = Array.from(own, (_, at) => own.slice(0, at));
    const foreign = [
      'text',
      'perf1:a:b::dg==',
      'perf2:',
      '',
      5,
      null,
      undefined,
      { value: 1 },
      Buffer.from(own),
      `${own}A`,
    ];
    for (const raw of [...foreign, ...altered, ...cut]) {
      adapter.set('perf:test:k', raw);
      // oxlint-disable-next-line no-await-in-loop
      expect(await textOf(store)).toBeUndefined();
    }
    adapter.set('perf:test:k', own);
    expect(await textOf(store)).toBe('some value');
    for (const name of ['perf:test', 'perf::test', 'perf::test:x']) {
      adapter.set(name, 'no cell');
      // oxlint-disable-next-line no-await-in-loop
      expect(await store.setMany('test', [{ ...write, tags: ['x'] }])).toEqual([true]);
      // oxlint-disable-next-line no-await-in-loop
      expect(await textOf(store)).toBe('v');
    }
  });

  test('arguments are checked', () => {
    expect(() => keyvStore({} as KeyvAdapter)).toThrow('`adapter.get`');
    expect(() => keyvStore(undefined as unknown as KeyvAdapter)).toThrow(TypeError);
    expect(() => keyvStore(new Map(), { prefix: 'a:b' })).toThrow('`prefix`');
    expect(() => keyvStore(new Map(), { fenceFor: Infinity })).toThrow('`fenceFor`');
    expect(() => keyvStore(new Map(), { ttl: 1 } as object)).toThrow('no option `ttl`');
  });
});
