import { type RedisServer, type RedisClusterServers, startRedis, startRedisCluster } from '@perf/testkit';
import * as ioredis6 from 'ioredis';
import * as ioredis5 from 'ioredis5';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StoreWrite } from '../src/index.ts';
import { type RedisClient, redisStore, redisTracking } from '../src/redis.ts';
import { storeContract } from './contract/store-contract.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let server: RedisServer;
let cluster: RedisClusterServers;
const clients: { disconnect(): void }[] = [];
const kept = <C extends { disconnect(): void; on(event: 'error', listener: () => void): unknown }>(client: C): C => {
  client.on('error', () => {});
  clients.push(client);
  return client;
};

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all([server.stop(), cluster.stop()]);
});

const nodes = (): { host: string; port: number }[] => cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));

/** Whose changes of entries are transactions. */
function trackedClient(): RedisClient {
  const client = kept(new ioredis6.Redis(server.url));
  const tracking = redisTracking(client);
  clients.push({ disconnect: () => void tracking.close() });
  return client;
}

const clientsOf: [name: string, connect: () => RedisClient][] = [
  ['ioredis 6 and RESP3', () => kept(new ioredis6.Redis(server.url))],
  [
    'ioredis 6 and RESP2, with a prefix of the client',
    () => kept(new ioredis6.Redis(server.url, { protocol: 2, keyPrefix: 'own:' })),
  ],
  ['ioredis 5, with numbers as text', () => kept(new ioredis5.Redis(server.url, { stringNumbers: true }))],
  ['ioredis 6 with server-assisted tracking', () => trackedClient()],
  ['ioredis 6 that pipelines by itself', () => kept(new ioredis6.Redis(server.url, { enableAutoPipelining: true }))],
  ['a Cluster of three and ioredis 6', () => kept(new ioredis6.Cluster(nodes()))],
  [
    'a Cluster of three and ioredis 6 that pipelines by itself',
    () => kept(new ioredis6.Cluster(nodes(), { enableAutoPipelining: true })),
  ],
  ['a Cluster of three and ioredis 5', () => kept(new ioredis5.Cluster(nodes(), { scaleReads: 'all' }))],
];
let runs = 0;
for (const [name, connect] of clientsOf) {
  storeContract(
    `redisStore, ${name}`,
    async () => {
      const options = { prefix: `contract-${runs++}` };
      return { stores: [redisStore(connect(), options), redisStore(connect(), options)], wait };
    },
    { leases: true },
  );
}

test('a hundred keys all over a Cluster are read, written and deleted together', async () => {
  const client = kept(new ioredis6.Cluster(nodes()));
  const store = redisStore(client, { prefix: 'slots' });
  const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
  const write = (key: string, rest = {}): StoreWrite => ({
    key,
    bytes: Buffer.from(key),
    ttl: 60_000,
    tags: ['x'],
    ...rest,
  });
  const entries = await store.getMany('n', keys);
  const fenced = keys.map((key, index) => write(key, { ifVersion: entries[index]?.version }));
  expect(await store.setMany('n', fenced)).toEqual(keys.map(() => true));
  expect((await store.getMany('n', keys)).map(({ bytes }) => String(bytes))).toEqual(keys);
  const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
  expect(Math.min(...sizes)).toBeGreaterThan(5);
  await store.deleteMany('n', keys.slice(0, 50));
  await store.setMany(
    'n',
    keys.slice(0, 25).map((key) => write(key)),
  );
  const left = (await store.getMany('n', keys)).map(({ bytes }) => bytes !== undefined);
  expect(left).toEqual(keys.map((_, index) => index < 25 || index >= 50));
  await store.invalidateTags('n', ['x']);
  expect((await store.getMany('n', keys)).filter(({ bytes }) => bytes !== undefined)).toEqual([]);
});
