import { TieredCache, memoize } from '@perf/cache';
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache } from 'cache-manager';
import { Cacheable, createKeyv } from 'cacheable';
import { Loader } from 'layered-loader/core';
import type { Comparison, Contender } from '../comparison.ts';
import { cacheRedis } from './cache-redis.ts';

/** More than are used: nothing is evicted, by any policy. */
const SIZE = 10_000;
const KEYS = Array.from({ length: 1_000 }, (_, index) => `user:${index}`);
const TTL = 3_600_000;

const load = async (key: string): Promise<number> => key.length;

/** Calls one after the other, each awaited. The keys are loaded by the first measurement, which does not count. */
function awaited(name: string, call: (key: string) => number | Promise<number>, ours = false): Contender {
  return {
    name,
    ours,
    run: async (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum += await call(KEYS[i % KEYS.length] as string);
      return sum;
    },
  };
}

const trivial = (): Contender => awaited('the loader itself: `async (key) => key.length`', load);

function ourLoad(): Contender {
  const cache = new TieredCache<string, number>({ memory: { maxSize: SIZE }, ttl: TTL });
  return awaited('@perf/cache getOrLoad', (key) => cache.getOrLoad(key, ({ key: wanted }) => load(wanted)), true);
}

/** Values are serialized by default; a number needs no isolation, and without it the peer is faster. */
function bento(): Contender {
  const memory = bentostore().useL1Layer(memoryDriver({ maxItems: SIZE, serialize: false }));
  const cache = new BentoCache({ default: 'memory', stores: { memory } });
  return awaited('bentocache getOrSet (`serialize: false`)', (key) =>
    cache.getOrSet({ key, factory: () => load(key), ttl: TTL }),
  );
}

const boundedKeyv = (): ReturnType<typeof createKeyv> => createKeyv({ lruSize: SIZE, ttl: TTL, useClone: false });

function cacheable(): Contender {
  const cache = new Cacheable({ primary: boundedKeyv(), ttl: TTL });
  return awaited(
    'cacheable getOrSet (`useClone: false`)',
    async (key) => (await cache.getOrSet(key, () => load(key))) as number,
  );
}

function cacheManager(): Contender {
  const cache = createCache({ stores: [boundedKeyv()], ttl: TTL });
  return awaited('cache-manager wrap (on cacheable’s memory, `useClone: false`)', (key) =>
    cache.wrap(key, () => load(key)),
  );
}

function cacheManagerOnMap(): Contender {
  const cache = createCache({ ttl: TTL });
  return awaited('cache-manager wrap (on its default, a Map without a limit)', (key) =>
    cache.wrap(key, () => load(key)),
  );
}

function defineLength(): (key: string) => Promise<number> {
  const storage = { type: 'memory', options: { size: SIZE } } as const;
  const cache = createDedupe({ ttl: TTL / 1_000, storage }).define('length', load);
  return (key) => cache.length(key) as unknown as Promise<number>;
}

function layered(): Loader<number> {
  const inMemoryCache = { cacheType: 'lru-map', ttlInMsecs: TTL, maxItems: SIZE } as const;
  return new Loader<number>({ inMemoryCache, dataSourceGetOneFn: load });
}

function layeredLoader(): Contender {
  const loader = layered();
  return awaited('layered-loader get', (key) => loader.get(key) as Promise<number>);
}

/** Its documented short cut: a promise is made for a miss only. */
function layeredLoaderSynchronous(): Contender {
  const loader = layered();
  return awaited(
    'layered-loader getInMemoryOnly, else getAsyncOnly: a hit is synchronous, its value awaited here',
    (key) => loader.getInMemoryOnly(key) ?? (loader.getAsyncOnly(key) as Promise<number>),
  );
}

function hits(): Contender[] {
  return [
    ourLoad(),
    bento(),
    cacheable(),
    cacheManager(),
    cacheManagerOnMap(),
    awaited('async-cache-dedupe define', defineLength()),
    layeredLoader(),
    layeredLoaderSynchronous(),
    trivial(),
  ];
}

function memoized(): Contender[] {
  const cache = new TieredCache<string, number>({ memory: { maxSize: SIZE }, ttl: TTL });
  const ours = memoize(cache, load, { name: 'length' });
  const wrapping = new Cacheable({ primary: boundedKeyv(), ttl: TTL });
  const theirs = wrapping.wrap(load, { keyPrefix: 'length' });
  return [
    awaited('@perf/cache memoize', ours, true),
    awaited('cacheable wrap (keys are hashes of 32 bits: some calls share a result)', async (key) => theirs(key)),
    awaited('async-cache-dedupe define', defineLength()),
    trivial(),
  ];
}

export const cacheTiered: readonly Comparison[] = [
  { package: 'cache', title: 'load through the cache, hit in memory', unit: 'awaited call', contenders: hits },
  {
    package: 'cache',
    title: 'a memoized function of one string, hit in memory',
    unit: 'awaited call',
    contenders: memoized,
  },
  ...cacheRedis,
];
