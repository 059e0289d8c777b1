import { MemoryCache } from '@perf/cache';
import { LRUCache } from 'lru-cache';
import { createLRU } from 'lru.min';
import { LRUMap } from 'mnemonist';
import QuickLRU from 'quick-lru';

/** The part of a cache that filling it takes. */
export interface Fillable {
  get(key: string): object | undefined;
  set(key: string, value: object): unknown;
}

const TTL = 3_600_000;

/** Empty caches for `size` entries, by the name they are shown under. */
export const CONTENDERS: Readonly<Record<string, (size: number) => Fillable>> = {
  '@perf/cache, adaptive': (maxSize) => new MemoryCache<string, object>({ maxSize }),
  '@perf/cache, lru': (maxSize) => new MemoryCache<string, object>({ maxSize, eviction: 'lru' }),
  'quick-lru': (maxSize) => new QuickLRU<string, object>({ maxSize }),
  'lru-cache': (max) => new LRUCache<string, object>({ max }),
  'lru.min': (max) => createLRU<string, object>({ max }),
  'mnemonist LRUMap': (capacity) => new LRUMap<string, object>(capacity),
  '@perf/cache, adaptive, with a TTL': (maxSize) => new MemoryCache<string, object>({ maxSize, ttl: TTL }),
  'lru-cache, with a TTL': (max) => new LRUCache<string, object>({ max, ttl: TTL }),
};
