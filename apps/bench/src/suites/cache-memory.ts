import { MemoryCache } from '@perf/cache';
import { LRUCache } from 'lru-cache';
import { createLRU } from 'lru.min';
import { LRUMap } from 'mnemonist';
import QuickLRU from 'quick-lru';
import type { Comparison, Contender } from '../comparison.ts';
import { zipf } from '../random.ts';

const SIZE = 10_000;
const KEYS = Array.from({ length: 100_000 }, (_, index) => `user:${index}`);
const ZIPF = zipf(1 << 17, KEYS.length, 0.99);
const TTL = 3_600_000;

/** What the peers and ours have in common. */
interface MapLike {
  get(key: string): number | undefined;
  set(key: string, value: number): unknown;
}

/** Reads keys that are all there. */
function hits(name: string, cache: MapLike, ours = false): Contender {
  for (let index = 0; index < SIZE; index++) cache.set(KEYS[index] as string, index);
  return {
    name,
    ours,
    run: (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum += cache.get(KEYS[(i * 7_919) % SIZE] as string) ?? NaN;
      return sum;
    },
  };
}

/** Gets a Zipf-distributed key, and sets it where it is missing. */
function getOrSet(name: string, cache: MapLike, ours = false): Contender {
  return {
    name,
    ours,
    run: (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) {
        const rank = ZIPF[i & (ZIPF.length - 1)] as number;
        const key = KEYS[rank] as string;
        let value = cache.get(key);
        if (value === undefined) cache.set(key, (value = rank));
        sum += value;
      }
      return sum;
    },
  };
}

type Load = (name: string, cache: MapLike, ours?: boolean) => Contender;

function plain(load: Load): Contender[] {
  return [
    load('@perf/cache, adaptive', new MemoryCache<string, number>({ maxSize: SIZE }), true),
    load('@perf/cache, lru', new MemoryCache<string, number>({ maxSize: SIZE, eviction: 'lru' })),
    load('quick-lru', new QuickLRU<string, number>({ maxSize: SIZE })),
    load('lru-cache', new LRUCache<string, number>({ max: SIZE })),
    load('lru.min', createLRU<string, number>({ max: SIZE })),
    load('mnemonist LRUMap', new LRUMap<string, number>(SIZE)),
  ];
}

function expiring(load: Load): Contender[] {
  return [
    load('@perf/cache, adaptive', new MemoryCache<string, number>({ maxSize: SIZE, ttl: TTL }), true),
    load('@perf/cache, lru', new MemoryCache<string, number>({ maxSize: SIZE, ttl: TTL, eviction: 'lru' })),
    load('quick-lru', new QuickLRU<string, number>({ maxSize: SIZE, maxAge: TTL })),
    load('lru-cache', new LRUCache<string, number>({ max: SIZE, ttl: TTL })),
  ];
}

/** The rows of the memory tier. */
export const cacheMemory: readonly Comparison[] = [
  { package: 'cache', title: 'get, hit', unit: 'get', contenders: () => plain(hits) },
  { package: 'cache', title: 'get, hit, with a TTL', unit: 'get', contenders: () => expiring(hits) },
  {
    package: 'cache',
    title: 'get or set, Zipf 0.99 over 100,000 keys, 10,000 kept',
    unit: 'get or set',
    contenders: () => plain(getOrSet),
  },
  {
    package: 'cache',
    title: 'get or set, Zipf 0.99 over 100,000 keys, 10,000 kept, with a TTL',
    unit: 'get or set',
    contenders: () => expiring(getOrSet),
  },
];
