import { LazyMeter, LazyTracer } from '@perf/core';
import type { CacheKey } from './cache-key.ts';
import type { MemoryCache } from './memory-cache.ts';
import type { TieredCache } from './tiered-cache.ts';

const SCOPE = '@perf/cache';
const NAME = 'perf.cache.name';
const RESULT = 'perf.cache.result';

const meter = /*@__PURE__*/ new LazyMeter(SCOPE);

/** Spans of loads. */
export const tracer: LazyTracer = /*@__PURE__*/ new LazyTracer(SCOPE);

const MEMORY = {
  'perf.cache.memory.entries': { kind: 'upDownCounter', unit: '{entry}', description: 'Entries in memory' },
  'perf.cache.memory.weight': {
    kind: 'upDownCounter',
    description: 'Weight of the entries in memory, in the unit of `weigh`',
  },
  'perf.cache.memory.requests': {
    kind: 'counter',
    unit: '{request}',
    description: 'Reads of the memory, by hit or miss',
  },
  'perf.cache.memory.removals': { kind: 'counter', unit: '{entry}', description: 'Values that left, by reason' },
} as const;

/**
 * Reports a memory cache to OpenTelemetry until the returned function is called. Only under a name: series of several nameless caches
 * would overwrite each other.
 */
export function observeMemory<K, V>(cache: MemoryCache<K, V>, name: string | undefined): () => void {
  if (name === undefined) return () => {};
  return meter.observe(cache, MEMORY, (owner, observe) => {
    const stats = owner.stats();
    observe('perf.cache.memory.entries', stats.size, { [NAME]: name });
    observe('perf.cache.memory.weight', stats.weight, { [NAME]: name });
    observe('perf.cache.memory.requests', stats.hits, { [NAME]: name, [RESULT]: 'hit' });
    observe('perf.cache.memory.requests', stats.misses, { [NAME]: name, [RESULT]: 'miss' });
    for (const [reason, count] of Object.entries(stats.removals)) {
      observe('perf.cache.memory.removals', count, { [NAME]: name, 'perf.cache.reason': reason });
    }
  });
}

const TIERED = {
  'perf.cache.requests': {
    kind: 'counter',
    unit: '{key}',
    description: 'Keys asked for, by what answered: memory, stale, negative, store, coalesced or miss',
  },
  'perf.cache.loads': { kind: 'counter', unit: '{call}', description: 'Calls of loaders, by outcome' },
  'perf.cache.fenced': {
    kind: 'counter',
    unit: '{value}',
    description: 'Loaded values not kept because their key had changed meanwhile',
  },
  'perf.cache.store.failures': { kind: 'counter', unit: '{call}', description: 'Calls of the store that failed' },
  'perf.cache.in_flight': { kind: 'upDownCounter', unit: '{key}', description: 'Keys being loaded' },
} as const;

/** Like {@link observeMemory}, for a tiered cache. */
export function observeTiered<K extends CacheKey, V>(cache: TieredCache<K, V>, name: string | undefined): () => void {
  if (name === undefined) return () => {};
  return meter.observe(cache, TIERED, (owner, observe) => {
    const stats = owner.stats();
    const requests = {
      memory: stats.memoryHits,
      stale: stats.staleHits,
      negative: stats.negativeHits,
      store: stats.storeHits,
      coalesced: stats.coalesced,
      miss: stats.misses,
    };
    for (const [result, count] of Object.entries(requests)) {
      observe('perf.cache.requests', count, { [NAME]: name, [RESULT]: result });
    }
    observe('perf.cache.loads', stats.loads - stats.loadFailures, { [NAME]: name, [RESULT]: 'ok' });
    observe('perf.cache.loads', stats.loadFailures, { [NAME]: name, [RESULT]: 'error' });
    observe('perf.cache.fenced', stats.fenced, { [NAME]: name });
    observe('perf.cache.store.failures', stats.storeFailures, { [NAME]: name });
    observe('perf.cache.in_flight', stats.inFlight, { [NAME]: name });
  });
}
