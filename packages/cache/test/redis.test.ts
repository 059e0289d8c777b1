import { type RedisServer, startRedis } from '@perf/testkit';
import { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, type TieredCacheOptions } from '../src/index.ts';
import { type RedisBus, type RedisClient, redisBus, redisStore } from '../src/redis.ts';
import { storeContract } from './contract/store-contract.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Waits until `check` no longer fails. */
const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 10_000, interval: 10 });

let server: RedisServer;
const clients: (Redis | Cluster)[] = [];
function connect(options = {}): Redis {
  const client = new Redis(server.url, options);
  client.on('error', () => {});
  clients.push(client);
  return client;
}

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

storeContract('redisStore', async () => ({
  stores: [redisStore(connect()), redisStore(connect({ keyPrefix: '' }))],
  wait,
}));

storeContract('redisStore over RESP2 with a prefix', async () => ({
  stores: [redisStore(connect({ protocol: 2 }), { prefix: 'app' }), redisStore(connect(), { prefix: 'app' })],
  wait,
}));

describe('redisStore', () => {
  let redis: Redis;
  let namespace: string;
  let runs = 0;
  beforeEach(async () => {
    redis ??= connect();
    namespace = `store-${runs++}`;
  });

  const write = { key: 'k', bytes: Buffer.from('v'), ttl: 60_000 };

  test('entries are strings named prefix:namespace:key', async () => {
    await redisStore(redis, { prefix: 'app' }).setMany(namespace, [write]);
    expect(await redis.type(`app:${namespace}:k`)).toBe('string');
    expect(await redis.pttl(`app:${namespace}:k`)).toBeGreaterThan(59_000);
  });

  test('many keys are one round trip, without KEYS and SCAN', async () => {
    const store = redisStore(redis);
    await store.getMany(namespace, ['warm']);
    const monitor = await connect().monitor();
    const seen: string[][] = [];
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args));
    const pipelines = vi.spyOn(redis, 'pipeline');
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    const entries = await store.getMany(namespace, keys);
    await store.setMany(
      namespace,
      keys.map((key, index) => ({ ...write, key, ifVersion: entries[index]?.version as string })),
    );
    await store.deleteMany(namespace, keys);
    await store.clear(namespace);
    expect(pipelines).toHaveBeenCalledTimes(3);
    await redis.ping();
    await eventually(() => expect(seen.at(-1)?.[0]?.toLowerCase()).toBe('ping'));
    monitor.disconnect();
    const names = new Set(seen.map(([name]) => name?.toLowerCase()));
    expect(names).toEqual(new Set(['evalsha', 'get', 'getrange', 'ping', 'pttl', 'set', 'time']));
  });

  test('survives that Redis forgets the scripts', async () => {
    const store = redisStore(redis);
    const [entry] = await store.getMany(namespace, ['k']);
    await redis.script('FLUSH');
    expect(await store.setMany(namespace, [{ ...write, ifVersion: entry?.version as string }])).toEqual([true]);
    await redis.script('FLUSH');
    expect((await store.getMany(namespace, ['k', 'l']))[0]?.bytes).toEqual(Buffer.from('v'));
  });

  test('a deletion is remembered for fenceFor, and then leaves nothing', async () => {
    const store = redisStore(redis, { prefix: 'brief', fenceFor: 100 });
    await store.setMany(namespace, [{ ...write, ttl: 10 }]);
    await store.deleteMany(namespace, ['x']);
    expect(await redis.exists(`brief:${namespace}:k`, `brief:${namespace}:x`)).toBe(2);
    const [k, x] = await store.getMany(namespace, ['k', 'x']);
    expect(x?.bytes).toBeUndefined();
    await wait(150);
    expect(await redis.exists(`brief:${namespace}:k`, `brief:${namespace}:x`)).toBe(0);
    // Whether something happened in between can no longer be told: a version of that age is refused.
    const late = [k, x].map((entry, index) => ({ ...write, key: `k${index}`, ifVersion: entry?.version as string }));
    expect(await store.setMany(namespace, late)).toEqual([false, false]);
  });

  test('what is not ours holds nothing, and gives way', async () => {
    const store = redisStore(redis);
    await redis.set(`perf:${namespace}:text`, 'text');
    await redis.hset(`perf:${namespace}:hash`, 'field', 'value');
    await redis.set(`perf:${namespace}:long`, 'x'.repeat(500));
    const keys = ['text', 'hash', 'long'];
    const entries = await store.getMany(namespace, keys);
    expect(entries.map(({ bytes }) => bytes)).toEqual([undefined, undefined, undefined]);
    const writes = keys.map((key, index) => ({ ...write, key, ifVersion: entries[index]?.version as string }));
    expect(await store.setMany(namespace, writes)).toEqual([true, true, true]);
    expect((await store.getMany(namespace, keys)).map(({ bytes }) => bytes)).toEqual(keys.map(() => Buffer.from('v')));
  });

  test('nothing comes back after Redis has lost the generation', async () => {
    const store = redisStore(redis);
    await store.setMany(namespace, [write]);
    await redis.del(`perf::${namespace}`);
    expect((await store.getMany(namespace, ['k']))[0]?.bytes).toBeUndefined();
  });

  test('rejects when Redis says no', async () => {
    const store = redisStore(redis);
    await redis.hset(`perf::${namespace}`, 'not', 'a generation');
    await expect(store.getMany(namespace, ['k'])).rejects.toThrow('WRONGTYPE');
    await expect(store.setMany(namespace, [write])).rejects.toThrow('WRONGTYPE');
  });

  test('options are checked', () => {
    expect(() => redisStore(redis, { prefix: 'a:b' })).toThrow(/`prefix` must not contain a colon/);
    expect(() => redisStore(redis, { fenceFor: 0 })).toThrow(/`fenceFor`/);
    expect(() => redisStore(redis, { fenceFor: Infinity })).toThrow(/`fenceFor`/);
    expect(() => redisStore(redis, { ttl: 1 } as never)).toThrow(/no option `ttl`/);
  });
});

describe('two processes on one Redis', () => {
  let busA: RedisBus;
  let busB: RedisBus;
  let a: TieredCache<string, string>;
  let b: TieredCache<string, string>;
  let runs = 0;

  beforeEach(async () => {
    const channel = `bus-${++runs}`;
    const make = (client: Redis, bus: RedisBus | undefined): TieredCache<string, string> => {
      const options: TieredCacheOptions<string, string> = { store: redisStore(client), namespace: `pair-${runs}` };
      return new TieredCache<string, string>({ ...options, ttl: 60_000, ...(bus && { bus }) });
    };
    const [clientA, clientB] = [connect(), connect()];
    busA = redisBus(clientA, { channel });
    busB = redisBus(clientB, { channel });
    a = make(clientA, busA);
    b = make(clientB, busB);
    await eventually(async () => expect((await clientA.pubsub('NUMSUB', channel))[1]).toBe(2));
  });
  afterEach(async () => {
    await Promise.all([a.close(), b.close()]);
    await Promise.all([busA.close(), busB.close()]);
  });

  test('a delete, set or clear in one during a load in the other is not undone', async () => {
    const changes: [() => Promise<void>, string | undefined][] = [
      [() => b.delete('k'), undefined],
      [() => b.set('k', 'NEW'), 'NEW'],
      [() => b.clear(), undefined],
    ];
    for (const [change, expected] of changes) {
      const started = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<string>();
      const call = a.getOrLoad('k', () => (started.resolve(), answer.promise));
      await started.promise;
      await change();
      answer.resolve('OLD');
      expect(await call).toBe('OLD');
      await eventually(() => expect(a.stats().inFlight).toBe(0));
      expect([await a.get('k'), await b.get('k')]).toEqual([expected, expected]);
      await a.delete('k');
    }
    expect(a.stats().storeFailures + b.stats().storeFailures).toBe(0);
  });

  test('a change in one is soon seen by the other', async () => {
    await a.set('k', '1');
    expect(await b.get('k')).toBe('1');
    await a.set('k', '2');
    await eventually(async () => expect(await b.get('k')).toBe('2'));
    await b.clear();
    await eventually(async () => expect(await a.get('k')).toBeUndefined());
  });

  test('nothing from before a lost connection is served after it', async () => {
    await a.set('k', 'OLD');
    expect(await b.get('k')).toBe('OLD');
    const admin = connect();
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await a.set('k', 'NEW');
    await eventually(async () => expect(await b.get('k')).toBe('NEW'));
    expect(await b.get('k')).toBe('NEW');
  });

  test('a Redis that is gone costs its answers, no more, and what was missed is not served when it is back', async () => {
    const lost = await startRedis();
    const client = new Redis(lost.url, { maxRetriesPerRequest: 1, retryStrategy: () => 20 });
    client.on('error', () => {});
    const bus = redisBus(client);
    const cache = new TieredCache<string, number>({ store: redisStore(client), bus, storeTimeout: 200, ttl: 60_000 });
    try {
      expect(await cache.getOrLoad('k', () => 1)).toBe(1);
      await lost.kill();
      let loads = 1;
      await eventually(async () => expect(await cache.getOrLoad('k', () => ++loads)).toBeGreaterThan(1));
      await expect(cache.delete('k')).rejects.toMatchObject({
        code: expect.stringMatching(/^PERF_CACHE_(STORE|BUS)$/),
      });
      expect(await cache.getOrLoad('x', () => 7)).toBe(7);
      await lost.restart();
      await eventually(async () => {
        await cache.set('k', 100);
      });
      expect(await cache.get('k')).toBe(100);
    } finally {
      await cache.close();
      await bus.close();
      client.disconnect();
      await lost.stop();
    }
  });
});

describe('redisBus', () => {
  test('leaves the client alone, makes one connection of its own and closes it', async () => {
    const client = connect();
    await client.ping();
    const duplicate = vi.spyOn(client, 'duplicate');
    const bus = redisBus(client, { channel: 'own' });
    const end = bus.subscribe({ onMessage() {}, onConnected() {}, onDisconnected() {} });
    bus.subscribe({ onMessage() {}, onConnected() {}, onDisconnected() {} });
    expect(duplicate).toHaveBeenCalledTimes(1);
    end();
    end();
    await bus.close();
    await bus.close();
    expect(bus.closed).toBe(true);
    expect(await client.ping()).toBe('PONG');
    const refused = expect.objectContaining({ code: 'PERF_CACHE_CLOSED' });
    await expect(bus.publish({ source: 's', namespace: 'n', keys: [] })).rejects.toEqual(refused);
    expect(() => bus.subscribe({ onMessage() {}, onConnected() {}, onDisconnected() {} })).toThrow(refused);
    const subscriber = duplicate.mock.results[0]?.value as Redis;
    await eventually(() => expect(subscriber.status).toBe('end'));
  });

  test('ignores what is no message of ours', async () => {
    const client = connect();
    const bus = redisBus(client, { channel: 'noise' });
    const heard: unknown[] = [];
    const connected = Promise.withResolvers<void>();
    bus.subscribe({ onMessage: (message) => heard.push(message), onConnected: connected.resolve, onDisconnected() {} });
    await connected.promise;
    for (const noise of ['', 'text', '{}', '[]', '[1,2]', '["s","n",5]', 'null']) await client.publish('noise', noise);
    await bus.publish({ source: 's', namespace: 'n', keys: ['a,b', 'ключ'] });
    await bus.publish({ source: 's', namespace: 'n', keys: undefined });
    await eventually(() => expect(heard).toHaveLength(2));
    expect(heard).toEqual([
      { source: 's', namespace: 'n', keys: ['a,b', 'ключ'] },
      { source: 's', namespace: 'n', keys: undefined },
    ]);
    await bus.close();
  });

  test('connects by itself on a client that connects lazily', async () => {
    const client = connect({ lazyConnect: true });
    const bus = redisBus(client, { channel: 'lazy' });
    const connected = Promise.withResolvers<void>();
    bus.subscribe({ onMessage() {}, onConnected: connected.resolve, onDisconnected() {} });
    await connected.promise;
    await bus.close();
  });

  test('refuses a cluster', () => {
    const client = { isCluster: true, publish: async () => 0, duplicate: () => connect() };
    expect(() => redisBus(client)).toThrow(/not of a Cluster/);
  });
});

describe('a Redis Cluster', () => {
  let node: RedisServer;
  let cluster: Cluster;

  beforeAll(async () => {
    node = await startRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
    const admin = new Redis(node.url);
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually(async () => expect(await admin.call('CLUSTER', 'INFO')).toContain('cluster_state:ok'));
    admin.disconnect();
    cluster = new Cluster([{ host: '127.0.0.1', port: node.port }]);
    cluster.on('error', () => {});
    clients.push(cluster);
  });
  afterAll(async () => {
    cluster.disconnect();
    await node.stop();
  });

  storeContract('redisStore on a Cluster', async () => ({
    stores: [redisStore(cluster), redisStore(cluster)],
    wait,
  }));
});

test('any object with the methods of a client will do', async () => {
  const calls: unknown[][] = [];
  const client: RedisClient = {
    isCluster: true,
    callBuffer: async (...args) => {
      calls.push(args);
      return null;
    },
    pipeline: () => {
      throw new Error('not in a cluster');
    },
  };
  await redisStore(client).deleteMany('n', ['a', 'b']);
  expect(calls.map(([command]) => command)).toEqual(['SET', 'SET']);
});
