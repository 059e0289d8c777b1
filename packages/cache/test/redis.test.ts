import { type RedisServer, startRedis } from '@perf/testkit';
import fc from 'fast-check';
import { type Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, type TieredCacheOptions } from '../src/index.ts';
import { type RedisBus, redisBus, redisStore } from '../src/redis.ts';

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
    // Teaches the server the scripts.
    const [warm] = await store.getMany(namespace, ['warm']);
    await store.setMany(namespace, [{ ...write, ifVersion: warm?.version as string }]);
    await store.invalidateTags(namespace, ['w']);
    await store.clear(namespace);
    const monitor = await connect().monitor();
    const seen: string[][] = [];
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args));
    const pipelines = vi.spyOn(redis, 'pipeline');
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    const entries = await store.getMany(namespace, keys, { tags: ['x'] });
    const writes = keys.map((key, index) => ({
      ...write,
      key,
      tags: ['x'],
      ifVersion: entries[index]?.version as string,
    }));
    await store.setMany(namespace, writes);
    await store.invalidateTags(namespace, ['y']);
    await store.getMany(namespace, keys, { tags: ['x'] });
    await store.deleteMany(namespace, keys);
    await store.clear(namespace);
    expect(pipelines).toHaveBeenCalledTimes(6);
    pipelines.mockRestore();
    await redis.ping();
    await eventually(() => expect(seen.at(-1)?.[0]?.toLowerCase()).toBe('ping'));
    monitor.disconnect();
    const names = new Set(seen.map(([name]) => name?.toLowerCase()));
    const ofScripts = ['del', 'getrange', 'hincrby', 'hlen', 'hset', 'set', 'setrange'];
    expect(names).toEqual(new Set(['evalsha', 'hmget', 'mget', 'ping', 'time', ...ofScripts]));
  });

  test('thousands of keys at once, and thousands of calls', async () => {
    const store = redisStore(redis);
    const keys = Array.from({ length: 2_345 }, (_, index) => `k${index}`);
    await store.setMany(
      namespace,
      keys.map((key) => ({ key, bytes: Buffer.from(key), ttl: 60_000 })),
    );
    const together = await store.getMany(namespace, keys);
    expect(together.map(({ bytes }) => String(bytes))).toEqual(keys);
    const alone = await Promise.all(keys.map((key) => store.getMany(namespace, [key])));
    expect(alone.map(([entry]) => String(entry?.bytes))).toEqual(keys);
  });

  test('tags are asked for once more only where one was invalidated since the entry was written', async () => {
    const store = redisStore(redis);
    const tagged = (key: string, tags: string[]): object => ({ ...write, key, tags });
    await store.setMany(namespace, [tagged('a', ['x']), tagged('b', ['y'])] as never);
    const pipelines = vi.spyOn(redis, 'pipeline');
    const trips = async (keys: string[], tags: string[] = []): Promise<number> => {
      pipelines.mockClear();
      await store.getMany(namespace, keys, { tags });
      return pipelines.mock.calls.length;
    };
    expect(await trips(['a', 'b'])).toBe(1);
    await store.invalidateTags(namespace, ['z']);
    expect(await trips(['a', 'b'])).toBe(2);
    expect(await trips(['a', 'b'], ['x', 'y'])).toBe(1);
    pipelines.mockRestore();
  });

  test('a write is one round trip, unless the namespace has changed since the last one', async () => {
    const [store, other] = [redisStore(redis), redisStore(connect())];
    const tagged = { ...write, tags: ['x'] };
    await store.setMany(namespace, [tagged]);
    const pipelines = vi.spyOn(redis, 'pipeline');
    const trips = async (): Promise<number> => {
      pipelines.mockClear();
      expect(await store.setMany(namespace, [tagged])).toEqual([true]);
      const count = pipelines.mock.calls.length;
      expect((await other.getMany(namespace, ['k']))[0]?.bytes).toEqual(Buffer.from('v'));
      return count;
    };
    expect(await trips()).toBe(1);
    for (const change of [
      () => other.clear(namespace),
      () => other.invalidateTags(namespace, ['x']),
      () => redis.del(`perf::${namespace}`),
    ]) {
      await change();
      expect(await trips()).toBeGreaterThan(1);
      expect(await trips()).toBe(1);
    }
    await other.invalidateTags(namespace, ['y']);
    expect(await trips()).toBe(1);
    pipelines.mockRestore();
  });

  test('forgets the tags that were invalidated longest ago, and what may have had them', async () => {
    const store = redisStore(redis);
    const tagged = (key: string, tags: string[]): object => ({ ...write, key, tags });
    await store.setMany(namespace, [tagged('old', ['first']), tagged('bare', [])] as never);
    await store.invalidateTags(namespace, ['first']);
    const tags = Array.from({ length: 6_000 }, (_, index) => `t${index}`);
    for (let from = 0; from < tags.length; from += 10)
      await store.invalidateTags(namespace, tags.slice(from, from + 10));
    expect(await redis.hlen(`perf::${namespace}`)).toBeLessThan(4_100);
    await store.setMany(namespace, [tagged('new', ['first', 't0'])] as never);
    const alive = async (): Promise<boolean[]> => {
      const entries = await store.getMany(namespace, ['old', 'bare', 'new']);
      return entries.map(({ bytes }) => bytes !== undefined);
    };
    expect(await alive()).toEqual([false, true, true]);
    await store.invalidateTags(namespace, ['t0']);
    expect(await alive()).toEqual([false, true, false]);
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

  test('nothing comes back after Redis has lost the namespace, tags that were invalidated neither', async () => {
    const store = redisStore(redis);
    await store.setMany(namespace, [{ ...write, tags: ['x'] }]);
    const [before] = await store.getMany(namespace, ['k']);
    await store.invalidateTags(namespace, ['x']);
    await redis.del(`perf::${namespace}`);
    expect((await store.getMany(namespace, ['k']))[0]?.bytes).toBeUndefined();
    expect(await store.setMany(namespace, [{ ...write, ifVersion: before?.version as string }])).toEqual([false]);
  });

  test('whatever bytes are under a key, they are nothing or what follows a header', async () => {
    const store = redisStore(redis);
    const name = `perf:${namespace}:k`;
    await store.setMany(namespace, [{ ...write, tags: ['x', 'y'], bytes: Buffer.from('the value') }]);
    const whole = (await redis.getBuffer(name)) as Buffer;
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const mutated = fc
      .record({ at: fc.nat(whole.length - 1), to: fc.nat(255), cut: fc.nat(whole.length) })
      .map(({ at, to, cut }) => {
        const copy = Buffer.from(whole);
        copy[at] = to;
        return copy.subarray(0, cut % 4 === 0 ? cut : whole.length);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, mutated), async (raw) => {
        await redis.set(name, raw);
        const [entry] = await store.getMany(namespace, ['k']);
        if (entry?.bytes !== undefined) {
          expect(raw.subarray(raw.length - entry.bytes.length).equals(entry.bytes)).toBe(true);
          expect(entry.ttl).toBeGreaterThan(0);
        }
        const version = entry?.version as string;
        expect(await store.setMany(namespace, [{ ...write, ifVersion: version }])).toEqual([true]);
      }),
      { numRuns: 500 },
    );
  });

  test('a version that is none of ours writes nothing', async () => {
    const store = redisStore(redis);
    for (const ifVersion of ['', 'x', '1/2/3', 'a/b/c/d', '////', '1/2//']) {
      expect(await store.setMany(namespace, [{ ...write, ifVersion }])).toEqual([false]);
      expect(await store.leases.acquire(namespace, [{ key: 'k', version: ifVersion, ttl: 100 }])).toEqual([
        { token: undefined, leasedFor: 0 },
      ]);
    }
    expect((await store.getMany(namespace, ['k']))[0]?.bytes).toBeUndefined();
  });

  test('keys that UTF-8 would make one are two', async () => {
    const store = redisStore(redis);
    const keys = ['\ud800', '\ud801', '\ufffd', 'a\udfff'];
    await store.setMany(
      namespace,
      keys.map((key, index) => ({ ...write, key, bytes: Buffer.from([index]) })),
    );
    const entries = await store.getMany(namespace, keys);
    expect(entries.map(({ bytes }) => bytes?.[0])).toEqual([0, 1, 2, 3]);
  });

  test('namespaces whose names could meet are refused', async () => {
    const store = redisStore(redis);
    for (const bad of ['', 'a:b']) {
      await expect(store.getMany(bad, ['k'])).rejects.toThrow(/a namespace must not/);
      await expect(store.setMany(bad, [write])).rejects.toThrow(/a namespace must not/);
      await expect(store.deleteMany(bad, ['k'])).rejects.toThrow(/a namespace must not/);
    }
  });

  test('a lease keeps its key, and one on nothing leaves nothing when it is given back', async () => {
    const store = redisStore(redis, { prefix: 'lease', fenceFor: 100 });
    await store.setMany(namespace, [{ ...write, ttl: 100 }]);
    const entries = await store.getMany(namespace, ['k', 'none']);
    const answers = await store.leases.acquire(
      namespace,
      ['k', 'none'].map((key, index) => ({ key, version: entries[index]?.version as string, ttl: 60_000 })),
    );
    expect(await redis.pttl(`lease:${namespace}:k`)).toBeGreaterThan(50_000);
    expect(await redis.pttl(`lease:${namespace}:none`)).toBeGreaterThan(50_000);
    await wait(150);
    const [k] = await store.getMany(namespace, ['k']);
    expect(k?.bytes).toBeUndefined();
    expect(k?.leasedFor).toBeGreaterThan(50_000);
    const held = ['k', 'none'].map((key, index) => ({ key, token: answers[index]?.token as string }));
    await store.leases.release(namespace, held);
    expect(await redis.exists(`lease:${namespace}:none`)).toBe(0);
    expect(await store.leases.extend(namespace, held, 100)).toEqual([false, false]);
  });

  test('a lease is not in the way of those who ask for none', async () => {
    const store = redisStore(redis);
    const [before] = await store.getMany(namespace, ['k']);
    const version = before?.version as string;
    const [answer] = await store.leases.acquire(namespace, [{ key: 'k', version, ttl: 60_000 }]);
    expect(answer?.token).toBeDefined();
    expect(await store.setMany(namespace, [{ ...write, ifVersion: version }])).toEqual([true]);
    const late = { ...write, bytes: Buffer.from('late'), lease: answer?.token as string };
    expect(await store.setMany(namespace, [late])).toEqual([false]);
  });

  test('rejects when Redis says no', async () => {
    const store = redisStore(redis);
    await redis.set(`perf::${namespace}`, 'not a namespace');
    await expect(store.getMany(namespace, ['k'])).rejects.toThrow('WRONGTYPE');
    await expect(store.setMany(namespace, [write])).rejects.toThrow('WRONGTYPE');
  });

  test('when Redis hangs or dies, calls fail in time, and nothing of them is left', async () => {
    const lost = await startRedis();
    const options = { maxRetriesPerRequest: 1, commandTimeout: 100, socketTimeout: 300, retryStrategy: () => 20 };
    const client = new Redis(lost.url, options);
    client.on('error', () => {});
    clients.push(client);
    const store = redisStore(client);
    const calls = (): Promise<unknown>[] => [
      store.getMany('n', ['k']),
      store.setMany('n', [write]),
      store.deleteMany('n', ['k']),
      store.invalidateTags('n', ['t']),
      store.clear('n'),
      store.leases.release('n', [{ key: 'k', token: 'none' }]),
    ];
    const counts = (): number[] => ['ready', 'close', 'end', 'error'].map((event) => client.listenerCount(event));
    try {
      await Promise.all(calls());
      const before = counts();
      lost.pause();
      const hanging = await Promise.allSettled(calls());
      expect(new Set(hanging.map(({ status }) => status))).toEqual(new Set(['rejected']));
      lost.resume();
      await eventually(() => Promise.all(calls()));
      await lost.kill();
      const dead = await Promise.allSettled(calls());
      expect(new Set(dead.map(({ status }) => status))).toEqual(new Set(['rejected']));
      await lost.restart();
      await eventually(() => Promise.all(calls()));
      expect(counts()).toEqual(before);
      await store.setMany('n', [write]);
      expect((await store.getMany('n', ['k']))[0]?.bytes).toEqual(write.bytes);
    } finally {
      client.disconnect();
      await lost.stop();
    }
  });

  test('options are checked', () => {
    expect(() => redisStore(redis, { prefix: 'a:b' })).toThrow(/`prefix` must not contain a colon/);
    expect(() => redisStore(redis, { fenceFor: 0 })).toThrow(/`fenceFor`/);
    expect(() => redisStore(redis, { fenceFor: Infinity })).toThrow(/`fenceFor`/);
    expect(() => redisStore(redis, { ttl: 1 } as never)).toThrow(/no option `ttl`/);
    for (const client of [undefined, 'redis://127.0.0.1', {}] as never[]) {
      expect(() => redisStore(client)).toThrow('`redis` must be a client of ioredis');
    }
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
