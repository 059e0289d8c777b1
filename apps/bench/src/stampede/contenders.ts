import { createKeyv as createRedisKeyv } from '@keyv/redis';
import { TieredCache } from '@perf/cache';
import { redisStore } from '@perf/cache/redis';
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import { createCache } from 'cache-manager';
import { Cacheable, createKeyv } from 'cacheable';
import { Redis } from 'ioredis';
import { Loader } from 'layered-loader/core';
import { RedisCache } from 'layered-loader/redis';

/** A cache of one process, over memory and the Redis that all processes share. */
export interface Loading {
  get(key: string): Promise<unknown>;
}

type Load = (key: string) => Promise<string>;

const SIZE = 10_000;
const TTL = 3_600_000;

/** By name, each as its documentation sets up two tiers. */
export const CONTENDERS: Readonly<Record<string, (url: string, load: Load) => Loading>> = {
  '@perf/cache getOrLoad': (url, load) => {
    const store = redisStore(new Redis(url));
    const cache = new TieredCache<string, string>({ memory: { maxSize: SIZE }, store, ttl: TTL });
    return { get: (key) => cache.getOrLoad(key, () => load(key)) };
  },
  'bentocache getOrSet': (url, load) => {
    const store = bentostore()
      .useL1Layer(memoryDriver({ maxItems: SIZE }))
      .useL2Layer(redisDriver({ connection: new Redis(url) }));
    const cache = new BentoCache({ default: 'tiers', stores: { tiers: store } });
    return { get: (key) => cache.getOrSet({ key, factory: () => load(key), ttl: TTL }) };
  },
  'cacheable getOrSet': (url, load) => {
    const primary = createKeyv({ lruSize: SIZE, ttl: TTL });
    const cache = new Cacheable({ primary, secondary: createRedisKeyv(url, { namespace: 'cacheable' }), ttl: TTL });
    return { get: (key) => cache.getOrSet(key, () => load(key)) };
  },
  'cache-manager wrap': (url, load) => {
    const memory = createKeyv({ lruSize: SIZE, ttl: TTL });
    const cache = createCache({ stores: [memory, createRedisKeyv(url, { namespace: 'cache-manager' })], ttl: TTL });
    return { get: (key) => cache.wrap(key, () => load(key)) };
  },
  'async-cache-dedupe define (has one tier: Redis)': (url, load) => {
    const storage = { type: 'redis', options: { client: new Redis(url) } } as const;
    const cache = createDedupe({ ttl: TTL / 1_000, storage }).define('load', load);
    return { get: (key) => cache.load(key) };
  },
  'layered-loader get': (url, load) => {
    const inMemoryCache = { cacheType: 'lru-map', ttlInMsecs: TTL, maxItems: SIZE } as const;
    const asyncCache = new RedisCache<string>(new Redis(url), { json: true, prefix: 'layered', ttlInMsecs: TTL });
    const loader = new Loader<string>({ inMemoryCache, asyncCache, dataSourceGetOneFn: load });
    return { get: (key) => loader.get(key) };
  },
};
