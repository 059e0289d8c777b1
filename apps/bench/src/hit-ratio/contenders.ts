import { MemoryCache } from '@perf/cache';
import { ClimbingWTinyLfu } from './climbing-w-tiny-lfu.ts';
import { Lru } from './lru.ts';
import { S3Fifo } from './s3-fifo.ts';
import type { Simulator } from './simulator.ts';
import type { Trace } from './trace.ts';
import { WTinyLfu } from './w-tiny-lfu.ts';

/** The policies that ours is measured against, in the order of the table. */
export const PEERS = [
  { name: 'LRU', of: (capacity: number, distinct: number): Simulator => new Lru(capacity, distinct) },
  { name: 'S3-FIFO', of: (capacity: number, distinct: number): Simulator => new S3Fifo(capacity, distinct) },
  { name: 'W-TinyLFU', of: (capacity: number, distinct: number): Simulator => new WTinyLfu(capacity, distinct) },
  {
    name: 'W-TinyLFU, climbing',
    of: (capacity: number, distinct: number): Simulator => new ClimbingWTinyLfu(capacity, distinct),
  },
] as const;

/** The real thing, with the real values left out. */
export function ours(maxSize: number): Simulator {
  const cache = new MemoryCache<number, true>({ maxSize });
  return {
    request(key) {
      if (cache.get(key) === true) return true;
      cache.set(key, true);
      return false;
    },
  };
}

/** Like {@link ours}, limited by weight. */
export function oursByWeight(maxWeight: number, weights: Uint32Array): Simulator {
  const cache = new MemoryCache<number, true>({ maxWeight, weigh: (_, key) => weights[key] as number });
  return {
    request(key) {
      if (cache.get(key) === true) return true;
      cache.set(key, true);
      return false;
    },
  };
}

/** Hits in per cent of the requests; with weights, also the weight of the hits in per cent of the weight asked for. */
export function hitRatio(
  trace: Trace,
  policy: Simulator,
  weights?: Uint32Array,
): { readonly requests: number; readonly weight: number } {
  let hits = 0;
  let hitWeight = 0;
  let weight = 0;
  for (const key of trace.requests) {
    const each = weights === undefined ? 1 : (weights[key] as number);
    weight += each;
    if (!policy.request(key)) continue;
    hits++;
    hitWeight += each;
  }
  return { requests: (100 * hits) / trace.requests.length, weight: (100 * hitWeight) / weight };
}
