import { type RedisServer, startRedis } from '@perf/testkit';
import * as ioredis6 from 'ioredis';
import * as ioredis5 from 'ioredis5';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { TieredCache } from '../src/index.ts';
import {
  type RedisClient,
  type RedisTracking,
  type RedisTrackingClient,
  redisStore,
  redisTracking,
} from '../src/redis.ts';
import { RecordingListener } from './recording-listener.ts';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 10_000, interval: 10 });

let server: RedisServer;
const clients: { disconnect(): void }[] = [];
const trackings: RedisTracking[] = [];

function kept<C extends { disconnect(): void; on(event: 'error', listener: () => void): unknown }>(client: C): C {
  client.on('error', () => {});
  clients.push(client);
  return client;
}
const connect = (options = {}): ioredis6.Redis => kept(new ioredis6.Redis(server.url, options));
function track(client: RedisTrackingClient, options: Parameters<typeof redisTracking>[1] = {}): RecordingListener {
  const tracking = redisTracking(client, options);
  trackings.push(tracking);
  const listener = new RecordingListener();
  tracking.subscribe(listener);
  return listener;
}
const write = { key: 'k', bytes: Buffer.from('v'), ttl: 60_000 };

beforeAll(async () => {
  server = await startRedis();
});
afterEach(async () => {
  await Promise.all(trackings.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

const kinds: [name: string, connect: () => RedisTrackingClient & RedisClient & { clientId(): Promise<number> }][] = [
  ['ioredis 6', () => withId(connect())],
  ['ioredis 6, RESP2, and a prefix of the client', () => withId(connect({ protocol: 2, keyPrefix: 'own:' }))],
  [
    'ioredis 6 that connects lazily and pipelines by itself',
    () => withId(connect({ lazyConnect: true, enableAutoPipelining: true })),
  ],
  ['ioredis 5', () => withId(kept(new ioredis5.Redis(server.url)))],
];
function withId<C extends ioredis6.Redis | ioredis5.Redis>(client: C): C & { clientId(): Promise<number> } {
  return Object.assign(client, { clientId: async () => Number(await client.client('ID')) });
}

describe.each(kinds)('redisTracking, %s', (_kind, client) => {
  test('tells what others change, whatever the key is, and not what was changed here', async () => {
    const mine = client();
    const listener = track(mine);
    await listener.up();
    const [here, there] = [redisStore(mine), redisStore(client())];
    await there.setMany('ns', [{ ...write, key: 'warm' }]);
    await eventually(() => expect(listener.messages).toContainEqual({ namespace: 'ns', keys: ['warm'] }));
    listener.heard.length = 0;
    const keys = ['a,b', '', 'a:b', 'ключ', '\ud800', 'deleted'];
    await there.setMany(
      'ns',
      keys.map((key) => ({ ...write, key })),
    );
    await here.setMany('ns', [{ ...write, key: 'mine' }]);
    const entries = await here.getMany('ns', ['mine', 'mine too']);
    const requests = ['mine', 'mine too'].map((key, index) => ({
      key,
      version: entries[index]?.version as string,
      ttl: 5_000,
    }));
    const [lease, second] = await here.leases.acquire('ns', requests);
    const held = [lease, second].map((each, index) => ({
      key: requests[index]?.key as string,
      token: each?.token as string,
    }));
    expect(await here.leases.extend('ns', held, 10_000)).toEqual([true, true]);
    expect(await redisStore(client()).leases.acquire('ns', requests)).toMatchObject([
      { token: undefined },
      { token: undefined },
    ]);
    expect(
      await here.setMany('ns', [
        { ...write, key: 'mine', ifVersion: (lease as { version: string }).version, lease: lease?.token as string },
        { ...write, key: 'mine too', ifVersion: 'outdated' },
      ]),
    ).toEqual([true, false]);
    await here.leases.release('ns', held);
    expect(await here.getMany('ns', ['mine', 'mine too'])).toMatchObject([{ leasedFor: 0 }, { leasedFor: 0 }]);
    await here.deleteMany('ns', ['mine']);
    await there.deleteMany('ns', ['deleted']);
    await there.setMany('ns', [{ ...write, key: 'last' }]);
    await eventually(() => expect(listener.messages.flatMap((each) => each.keys ?? [])).toContain('last'));
    const heard = new Set(listener.messages.flatMap((each) => each.keys ?? []));
    expect(heard).toEqual(new Set([...keys, 'last']));
    expect(new Set(listener.messages.map((each) => each.namespace))).toEqual(new Set(['ns']));
  });

  test('caches of one process that share the client hear of each other', async () => {
    const mine = client();
    const tracking = redisTracking(mine);
    trackings.push(tracking);
    const listener = new RecordingListener();
    tracking.subscribe(listener);
    await listener.up();
    const store = redisStore(mine);
    const options = { store, bus: tracking, namespace: `shared ${_kind.length}` };
    const [a, b] = [new TieredCache<string, string>(options), new TieredCache<string, string>(options)];
    await a.set('k', 'old', { tags: ['t'] });
    expect(await b.get('k')).toBe('old');
    await a.set('k', 'new', { tags: ['t'] });
    expect(await b.get('k')).toBe('new');
    await b.invalidateTags(['t']);
    expect(await a.get('k')).toBeUndefined();
    await a.set('k', 'newer');
    expect(await b.get('k')).toBe('newer');
    await a.delete('k');
    expect(await b.get('k')).toBeUndefined();
    await Promise.all([a.close(), b.close()]);
  });

  test('tells of namespaces, and of everything', async () => {
    const listener = track(client());
    await listener.up();
    const other = client();
    const there = redisStore(other);
    for (const change of [() => there.clear('n1'), () => there.invalidateTags('n1', ['x'])]) {
      listener.heard.length = 0;
      await change();
      await listener.count(1);
      expect(listener.messages).toEqual([{ namespace: 'n1' }]);
    }
    listener.heard.length = 0;
    await connect().flushall();
    await eventually(() => expect(listener.heard).toEqual(['down', 'up']));
  });

  test('whichever connection is lost, it says so, and goes on with the next', async () => {
    const mine = client();
    const admin = connect();
    const listener = track(mine);
    const there = redisStore(client());
    await listener.up();
    const kills = [
      async (): Promise<unknown> => admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
      async (): Promise<unknown> => admin.call('CLIENT', 'KILL', 'ID', await mine.clientId()),
    ];
    for (const [index, kill] of [...kills, ...kills].entries()) {
      const ups = listener.heard.filter((each) => each === 'up').length;
      await kill();
      await listener.up(ups + 1);
      expect(listener.heard.filter((each) => each === 'down').length).toBeGreaterThan(index);
      const before = listener.messages.length;
      await there.setMany('gap', [write]);
      await listener.count(before + 1);
    }
  });

  test('that somebody switched it off is found', async () => {
    const mine = client();
    const listener = track(mine, { heartbeat: 50 });
    await listener.up();
    const data = mine as unknown as { client(...args: string[]): Promise<unknown> };
    await data.client('TRACKING', 'OFF');
    await listener.up(2);
    const before = listener.messages.length;
    await redisStore(client()).setMany('off', [write]);
    await listener.count(before + 1);
  });
});

describe('redisTracking', () => {
  test('ends when it is closed, and leaves the client alone', async () => {
    const client = connect();
    const tracking = redisTracking(client);
    const listener = new RecordingListener();
    tracking.subscribe(listener);
    await listener.up();
    const listeners = client.listenerCount('ready') + client.listenerCount('close');
    expect(() => redisTracking(client)).toThrow(/tracked already/);
    await tracking.publish({ source: 's', namespace: 'n' });
    await tracking.close();
    await tracking.close();
    expect(tracking.closed).toBe(true);
    expect(listener.heard).toEqual(['up', { namespace: 'n' }, 'down']);
    expect(await client.call('CLIENT', 'GETREDIR')).toBe(-1);
    expect(client.listenerCount('ready') + client.listenerCount('close')).toBe(listeners - 2);
    const refused = expect.objectContaining({ code: 'PERF_CACHE_CLOSED' });
    await expect(tracking.publish({ source: 's', namespace: 'n' })).rejects.toEqual(refused);
    expect(() => tracking.subscribe(listener)).toThrow(refused);
    trackings.push(redisTracking(client));
  });

  test('a Redis that hangs is a lost connection, and so is one that dies', async () => {
    const lost = await startRedis();
    const client = kept(new ioredis6.Redis(lost.url, { retryStrategy: () => 20 }));
    const tracking = redisTracking(client, { heartbeat: 100 });
    try {
      const listener = new RecordingListener();
      tracking.subscribe(listener);
      await listener.hearsLosses(lost);
    } finally {
      await tracking.close();
      client.disconnect();
      await lost.stop();
    }
  });

  test('two caches see the changes of one another, and come to rest', async () => {
    const make = async (): Promise<TieredCache<string, string>> => {
      const client = connect();
      const bus = redisTracking(client, { prefix: 'pair' });
      trackings.push(bus);
      const cache = new TieredCache<string, string>({
        store: redisStore(client, { prefix: 'pair' }),
        bus,
        ttl: 60_000,
      });
      const listener = new RecordingListener();
      bus.subscribe(listener);
      await listener.up();
      return cache;
    };
    const [a, b] = [await make(), await make()];
    await a.set('k', '1');
    expect(await b.get('k')).toBe('1');
    await a.set('k', '2');
    await eventually(async () => expect(await b.get('k')).toBe('2'));
    await b.delete('k');
    await eventually(async () => expect(await a.get('k')).toBeUndefined());
    // Both load it, whatever each tells the other meanwhile.
    let loads = 0;
    const load = (): string => `loaded ${++loads}`;
    await Promise.all([a.getOrLoad('k', load), b.getOrLoad('k', load)]);
    await eventually(async () => {
      const before = loads;
      expect(await a.getOrLoad('k', load)).toBe(await b.getOrLoad('k', load));
      expect(loads).toBe(before);
    });
    await Promise.all([a.close(), b.close()]);
  });

  test('options are checked, and a Cluster is told what to use', () => {
    const client = connect();
    expect(() => redisTracking(client, { prefix: 'a:b' })).toThrow(/`prefix` must not contain a colon/);
    expect(() => redisTracking(client, { heartbeat: -1 })).toThrow(/`heartbeat`/);
    expect(() => redisTracking(client, { channel: 'c' } as never)).toThrow(/no option `channel`/);
    expect(() => redisTracking({ isCluster: true } as never)).toThrow(/use redisBus/);
    for (const client of [undefined, 'redis://127.0.0.1', {}] as never[]) {
      expect(() => redisTracking(client)).toThrow('`redis` must be a client of ioredis');
    }
  });
});
