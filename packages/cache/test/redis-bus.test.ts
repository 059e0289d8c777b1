import { type RedisClusterServers, type RedisServer, startRedis, startRedisCluster } from '@perf/testkit';
import * as ioredis6 from 'ioredis';
import * as ioredis5 from 'ioredis5';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RedisBus, type RedisBusClient, redisBus } from '../src/redis.ts';
import { RecordingListener } from './recording-listener.ts';

const eventually = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { timeout: 10_000, interval: 10 });

let server: RedisServer;
let cluster: RedisClusterServers;
const clients: { disconnect(): void }[] = [];
const buses: RedisBus[] = [];

function kept<C extends { disconnect(): void; on(event: 'error', listener: () => void): unknown }>(client: C): C {
  client.on('error', () => {});
  clients.push(client);
  return client;
}
function bus(client: RedisBusClient, options: Parameters<typeof redisBus>[1] = {}): RedisBus {
  const made = redisBus(client, options);
  buses.push(made);
  return made;
}
const connect = (options = {}): ioredis6.Redis => kept(new ioredis6.Redis(server.url, options));
const nodes = (): { host: string; port: number }[] => cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((each) => each.close()));
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all([server.stop(), cluster.stop()]);
});

const kinds: [name: string, connect: () => RedisBusClient][] = [
  ['ioredis 6', () => connect()],
  ['ioredis 6 and RESP2', () => connect({ protocol: 2 })],
  [
    'ioredis 6 that connects lazily and pipelines by itself',
    () => connect({ lazyConnect: true, enableAutoPipelining: true }),
  ],
  ['ioredis 5', () => kept(new ioredis5.Redis(server.url))],
  ['a Cluster and ioredis 6', () => kept(new ioredis6.Cluster(nodes()))],
  ['a Cluster and ioredis 5', () => kept(new ioredis5.Cluster(nodes()))],
];

describe.each(kinds)('redisBus, %s', (kind, client) => {
  let runs = 0;

  test('messages of all kinds arrive, with any text in them, and what is none of ours does not', async () => {
    const channel = `kinds-${runs++}`;
    const publisher = client();
    const [from, to] = [bus(publisher, { channel }), bus(client(), { channel })];
    const listener = new RecordingListener();
    to.subscribe(listener);
    await listener.up();
    for (const noise of [
      '',
      'text',
      '{}',
      '[]',
      '[1,2]',
      '["s","n",5]',
      '["s","n",[1]]',
      '["s","n",null,"t"]',
      'null',
    ]) {
      await publisher.publish(channel, noise);
    }
    const sent = [
      { namespace: 'n', keys: ['a,b', 'ключ', '\ud800', ''] },
      { namespace: 'n', tags: ['t,u'] },
      { namespace: 'n', keys: [], tags: [] },
      { namespace: 'n' },
    ];
    for (const message of sent) await from.publish({ source: 's', ...message });
    await listener.count(sent.length);
    expect(new Set(listener.messages.map((each) => JSON.stringify(each)))).toEqual(
      new Set(sent.map((each) => JSON.stringify(each))),
    );
  });

  test('a connection that goes quiet is found and replaced', async () => {
    const channel = `quiet-${runs++}`;
    const to = bus(client(), { channel, heartbeat: 250 });
    const { Redis } = kind.includes('ioredis 5') ? ioredis5 : ioredis6;
    const spy = vi.spyOn(Redis.prototype, 'ping');
    const listener = new RecordingListener();
    to.subscribe(listener);
    // As long as it answers, it stays.
    await eventually(() => expect(spy).toHaveBeenCalledTimes(3));
    expect(listener.heard).toEqual(['up']);
    spy.mockImplementation((() => new Promise(() => {})) as never);
    await listener.down();
    spy.mockRestore();
    await listener.up(2);
    await to.publish({ source: 's', namespace: 'n' });
    await listener.count(1);
  });
});

describe('redisBus', () => {
  test('leaves the client alone, makes one connection of its own and closes it', async () => {
    const client = connect();
    await client.ping();
    const duplicate = vi.spyOn(client, 'duplicate');
    const own = bus(client, { channel: 'own' });
    const listener = new RecordingListener();
    const end = own.subscribe(listener);
    own.subscribe(listener);
    expect(duplicate).toHaveBeenCalledTimes(1);
    await listener.up(2);
    end();
    end();
    await own.publish({ source: 's', namespace: 'n' });
    await listener.count(1);
    await own.close();
    await own.close();
    expect(own.closed).toBe(true);
    expect(listener.heard).toEqual(['up', 'up', { namespace: 'n' }, 'down']);
    expect(await client.ping()).toBe('PONG');
    const refused = expect.objectContaining({ code: 'PERF_CACHE_CLOSED' });
    await expect(own.publish({ source: 's', namespace: 'n', keys: [] })).rejects.toEqual(refused);
    expect(() => own.subscribe(listener)).toThrow(refused);
    const subscriber = duplicate.mock.results[0]?.value as ioredis6.Redis;
    await eventually(() => expect(subscriber.status).toBe('end'));
  });

  test('connections that are killed, one after the other, are replaced, and none is left behind', async () => {
    const own = bus(connect(), { channel: 'killed' });
    const admin = connect();
    const listener = new RecordingListener();
    own.subscribe(listener);
    for (let times = 1; times <= 5; times++) {
      await listener.up(times);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await listener.down();
    }
    await listener.up(6);
    await own.publish({ source: 's', namespace: 'n' });
    await listener.count(1);
    const list = String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    expect(list.trim().split('\n')).toHaveLength(1);
  });

  test('a Redis that hangs is a lost connection, and so is one that dies', async () => {
    const lost = await startRedis();
    const client = kept(new ioredis6.Redis(lost.url, { retryStrategy: () => 20 }));
    const own = bus(client, { heartbeat: 100 });
    try {
      const listener = new RecordingListener();
      own.subscribe(listener);
      await listener.hearsLosses(lost);
      await own.publish({ source: 's', namespace: 'n' });
      await listener.count(1);
    } finally {
      await own.close();
      client.disconnect();
      await lost.stop();
    }
  });

  test('a node that answers, but does not hear what is published in the Cluster, is left for another', async () => {
    const lonely = await startRedis();
    const [alone, member] = [kept(new ioredis6.Redis(lonely.url)), connect()];
    let asked = 0;
    const client = {
      isCluster: true,
      nodes: () => [asked++ === 0 ? alone : member],
      publish: (channel: string, text: string) => member.publish(channel, text),
    };
    const own = bus(client, { heartbeat: 250 });
    try {
      const listener = new RecordingListener();
      own.subscribe(listener);
      await listener.up(2);
      expect(listener.heard).toEqual(['up', 'down', 'up']);
      await own.publish({ source: 's', namespace: 'n' });
      await listener.count(1);
    } finally {
      await own.close();
      await lonely.stop();
    }
  });

  test('a blocked event loop is no lost connection', async () => {
    const own = bus(connect(), { channel: 'blocked', heartbeat: 250 });
    const listener = new RecordingListener();
    const pings = vi.spyOn(ioredis6.Redis.prototype, 'ping');
    own.subscribe(listener);
    await eventually(() => expect(pings).toHaveBeenCalled());
    const until = performance.now() + 800;
    while (performance.now() < until);
    pings.mockClear();
    await eventually(() => expect(pings).toHaveBeenCalledTimes(2));
    pings.mockRestore();
    expect(listener.heard).toEqual(['up']);
  });

  test('when Redis refuses the subscription, it is asked again', async () => {
    const strict = await startRedis();
    const client = kept(new ioredis6.Redis(strict.url));
    const own = bus(client);
    try {
      await client.call('ACL', 'SETUSER', 'default', 'resetchannels');
      const duplicate = vi.spyOn(client, 'duplicate');
      const listener = new RecordingListener();
      own.subscribe(listener);
      await eventually(() => expect(duplicate.mock.calls.length).toBeGreaterThan(2));
      expect(listener.heard).toEqual([]);
      await client.call('ACL', 'SETUSER', 'default', 'allchannels');
      await listener.up();
    } finally {
      await own.close();
      client.disconnect();
      await strict.stop();
    }
  });

  test('in a Cluster, listens to another node when its own dies', async () => {
    const client = kept(new ioredis6.Cluster(nodes(), { clusterRetryStrategy: () => 20 }));
    const own = bus(client, { channel: 'moving', heartbeat: 200 });
    const listener = new RecordingListener();
    own.subscribe(listener);
    await listener.up();
    for (const node of cluster.nodes) {
      const direct = kept(new ioredis6.Redis(node.url));
      const subscribed = (await direct.pubsub('NUMSUB', 'moving'))[1] as number;
      direct.disconnect();
      if (Number(subscribed) === 0) continue;
      await node.kill();
      await listener.down();
      await listener.up(2);
      const before = listener.messages.length;
      await eventually(async () => {
        await own.publish({ source: 's', namespace: 'n' });
        expect(listener.messages.length).toBeGreaterThan(before);
      });
      await node.restart();
      break;
    }
    expect(listener.messages.length).toBeGreaterThan(0);
  });

  test('options are checked', () => {
    expect(() => redisBus(connect(), { channel: '' })).toThrow(/`channel`/);
    expect(() => redisBus(connect(), { heartbeat: 0 })).toThrow(/`heartbeat`/);
    expect(() => redisBus(connect(), { ttl: 1 } as never)).toThrow(/no option `ttl`/);
    for (const client of [undefined, 'redis://127.0.0.1', { publish: async () => 0 }] as never[]) {
      expect(() => redisBus(client)).toThrow('`redis` must be a client of ioredis');
    }
  });
});
