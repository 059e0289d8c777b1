import { TieredCache } from '@perf/cache';
import { createCache } from 'async-cache-dedupe';
import type { Comparison, Contender } from '../comparison.ts';
import { cacheMemory } from './cache-memory.ts';

const SIZE = 10_000;
const KEYS = Array.from({ length: 1_000 }, (_, index) => `user:${index}`);
const TTL = 3_600_000;

export const cache: readonly Comparison[] = [
  ...cacheMemory,
  { package: 'cache', title: 'load through the cache, hit in memory', unit: 'awaited call', contenders: loads },
];

function loads(): Contender[] {
  const load = (key: string): Promise<number> => Promise.resolve(key.length);
  const tiered = new TieredCache<string, number>({ memory: { maxSize: SIZE }, ttl: TTL });
  const dedupe = createCache({ ttl: TTL / 1_000, storage: { type: 'memory', options: { size: SIZE } } }).define(
    'length',
    load,
  );
  return [
    awaited(
      '@perf/cache TieredCache.getOrLoad',
      (key) => tiered.getOrLoad(key, ({ key: wanted }) => load(wanted)),
      true,
    ),
    awaited('async-cache-dedupe', (key) => dedupe.length(key) as unknown as Promise<number>),
    awaited('the loader itself, a trivial async function', load),
  ];
}

function awaited(name: string, call: (key: string) => Promise<number>, ours = false): Contender {
  return {
    name,
    ours,
    run: async (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum += await call(KEYS[i % 1_000] as string);
      return sum;
    },
  };
}
