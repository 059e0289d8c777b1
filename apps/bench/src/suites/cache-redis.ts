import { TieredCache } from '@perf/cache';
import { redisStore } from '@perf/cache/redis';
import { type Codec, jsonCodec, v8Codec } from '@perf/codec';
import { startRedis } from '@perf/testkit';
import { createKeyv } from '@keyv/redis';
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { redisDriver } from 'bentocache/drivers/redis';
import { createCache } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { Redis } from 'ioredis';
import { Loader } from 'layered-loader/core';
import { RedisCache } from 'layered-loader/redis';
import type { Comparison, Contender } from '../comparison.ts';

const READERS = 100;
const TTL = 3_600_000;
const KEYS = Array.from({ length: 2_000 }, (_, index) => `user:${index}`);

/** About 200 bytes as JSON. */
interface User {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly bio: string;
}

function userOf(key: string): User {
  const id = Number(key.slice(5));
  return { id, name: `User number ${id}`, email: `user.${id}@example.org`, bio: 'x'.repeat(110) };
}

/** A cache whose keys are in Redis and nowhere else. */
interface Reader {
  readonly name: string;
  readonly ours?: boolean;
  readonly fill: (key: string, value: User) => unknown;
  readonly get: (key: string) => Promise<User | null | undefined>;
  readonly close: () => unknown;
}

const notLoaded = (): never => {
  throw new Error('the key was not in Redis');
};

/** What peers on ioredis gain from: commands of one turn of the event loop are sent together, as Keyv's own client does by default. */
const pipelining = (url: string): Redis => new Redis(url, { enableAutoPipelining: true });

function tiered(url: string, namespace: string, codec: Codec<unknown>): Omit<Reader, 'name'> {
  const redis = new Redis(url);
  const cache = new TieredCache<string, User>({ memory: 'none', store: redisStore(redis), ttl: TTL, namespace, codec });
  return {
    fill: (key, value) => cache.set(key, value),
    get: (key) => cache.get(key),
    close: async () => {
      await cache.close();
      redis.disconnect();
    },
  };
}

/** JSON, like all peers. */
const oursInJson = (url: string): Reader => ({
  ...tiered(url, 'json', jsonCodec),
  name: '@perf/cache get (`codec: jsonCodec`)',
  ours: true,
});

const oursByDefault = (url: string): Reader => ({
  ...tiered(url, 'v8', v8Codec),
  name: '@perf/cache get (default codec: V8’s structured clone)',
});

function bento(url: string): Reader {
  const redis = pipelining(url);
  const store = bentostore().useL2Layer(redisDriver({ connection: redis }));
  const cache = new BentoCache({ default: 'redis', stores: { redis: store } });
  return {
    name: 'bentocache get',
    fill: (key, value) => cache.set({ key, value, ttl: TTL }),
    get: (key) => cache.get({ key }) as Promise<User>,
    close: () => redis.disconnect(),
  };
}

/** Redis as its first and only tier. Keyv brings its own client. */
function cacheable(url: string): Reader {
  const cache = new Cacheable({ primary: createKeyv(url, { namespace: 'cacheable' }), ttl: TTL });
  return {
    name: 'cacheable get, Redis as its primary store',
    fill: (key, value) => cache.set(key, value),
    get: (key) => cache.get<User>(key),
    close: () => cache.disconnect(),
  };
}

function cacheManager(url: string): Reader {
  const cache = createCache({ stores: [createKeyv(url, { namespace: 'cache-manager' })], ttl: TTL });
  return {
    name: 'cache-manager get',
    fill: (key, value) => cache.set(key, value),
    get: (key) => cache.get<User>(key),
    close: () => cache.disconnect(),
  };
}

/** It has no `get` of one value: the defined function, which is not called. */
function dedupe(url: string): Reader {
  const redis = pipelining(url);
  const storage = { type: 'redis', options: { client: redis } } as const;
  const filling = new Map<string, User>();
  const cache = createDedupe({ ttl: TTL / 1_000, storage }).define(
    'user',
    async (key: string): Promise<User> => filling.get(key) ?? notLoaded(),
  );
  const get = (key: string): Promise<User> => cache.user(key) as Promise<User>;
  return {
    name: 'async-cache-dedupe define',
    fill: async (key, value) => {
      filling.set(key, value);
      await get(key);
      filling.delete(key);
    },
    get,
    close: () => redis.disconnect(),
  };
}

function layered(url: string): Reader {
  const redis = pipelining(url);
  const asyncCache = new RedisCache<User>(redis, { json: true, prefix: 'layered', ttlInMsecs: TTL });
  const loader = new Loader<User>({ asyncCache, dataSourceGetOneFn: notLoaded });
  return {
    name: 'layered-loader get',
    fill: (key, value) => loader.forceSetValue(key, value),
    get: (key) => loader.get(key),
    close: () => redis.disconnect(),
  };
}

function plain(url: string): Reader {
  const redis = pipelining(url);
  return {
    name: 'ioredis GET and JSON.parse, no cache around it',
    fill: (key, value) => redis.set(`plain:${key}`, JSON.stringify(value), 'PX', TTL),
    get: async (key) => JSON.parse((await redis.get(`plain:${key}`)) ?? notLoaded()) as User,
    close: () => redis.disconnect(),
  };
}

/** A hundred loops that read one key after the other. */
function contender({ name, ours: isOurs = false, get, close }: Reader): Contender {
  return {
    name,
    ours: isOurs,
    run: async (iterations) => {
      let next = 0;
      let sum = 0;
      const loop = async (): Promise<void> => {
        while (next < iterations) {
          const user = await get(KEYS[next++ % KEYS.length] as string);
          sum += user === null || user === undefined ? NaN : user.id + user.bio.length;
        }
      };
      await Promise.all(Array.from({ length: READERS }, loop));
      return sum;
    },
    close,
  };
}

const MAKERS = [oursInJson, oursByDefault, bento, cacheable, cacheManager, dedupe, layered, plain];

/** All of them on one Redis, started for the purpose, each by one connection. */
async function readers(): Promise<Contender[]> {
  const server = await startRedis();
  const all = MAKERS.map((make) => make(server.url));
  let open = all.length;
  /** The last one to close turns off the light. */
  const closing = (reader: Reader): Reader => ({
    ...reader,
    close: async () => {
      await reader.close();
      if (--open === 0) await server.stop();
    },
  });
  const contenders = all.map((reader) => contender(closing(reader)));
  try {
    for (const { fill } of all) await Promise.all(KEYS.map((key) => fill(key, userOf(key))));
    return contenders;
  } catch (error) {
    for (const each of contenders) await each.close?.();
    throw error;
  }
}

export const cacheRedis: readonly Comparison[] = [
  {
    package: 'cache',
    title: `hits in Redis, ${READERS} readers at a time, values of 200 B, no memory tier`,
    unit: 'get',
    contenders: readers,
  },
];
