import { LazyMeter, LazyTracer } from '@perf/core';
import type { BreakerState } from './circuit-breaker.ts';
import { LoadTimeoutError } from './errors.ts';
import type { CacheKey } from './cache-key.ts';
import type { MemoryCache } from './memory-cache.ts';
import type { TieredCache } from './tiered-cache.ts';

const SCOPE = '@perf/cache';
const NAME = 'perf.cache.name';
const RESULT = 'perf.cache.result';

const meter = /*@__PURE__*/ new LazyMeter(SCOPE);

const tracer: LazyTracer = /*@__PURE__*/ new LazyTracer(SCOPE);

/** What is asked of a store. */
export type StoreOperation = 'read' | 'write' | 'set' | 'delete' | 'invalidateTags' | 'clear' | 'lease';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const loadDuration = /*@__PURE__*/ meter.histogram('perf.cache.load.duration', {
  unit: 's',
  description: 'Calls of loaders, by outcome',
  advice: { explicitBucketBoundaries: SECONDS },
});

const storeDuration = /*@__PURE__*/ meter.histogram('perf.cache.store.duration', {
  unit: 's',
  description: 'Calls of the store, by operation and outcome',
  advice: { explicitBucketBoundaries: SECONDS },
});

/** Runs a call of a loader in a span, and records how long it took. */
export function observeLoad<T>(
  facts: { readonly keys: number; readonly name: string | undefined },
  load: () => Promise<T>,
): Promise<T> {
  const attributes = named(facts.name);
  return tracer.span('perf.cache.load', { attributes: { 'perf.cache.keys': facts.keys, ...attributes } }, () =>
    timed(loadDuration, attributes, load),
  );
}

/** Runs a call of a store in a span, and records how long it took. */
export function observeStoreCall<T>(
  facts: { readonly operation: StoreOperation; readonly name: string | undefined },
  call: () => Promise<T>,
): Promise<T> {
  if (tracer.current() === undefined && !storeDuration.enabled) return call();
  const attributes = { 'perf.cache.operation': facts.operation, ...named(facts.name) };
  return tracer.span('perf.cache.store', { attributes }, () => timed(storeDuration, attributes, call));
}

async function timed<T>(
  histogram: typeof loadDuration,
  attributes: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  if (!histogram.enabled) return work();
  const startedAt = performance.now();
  const record = (result: string): void =>
    histogram.record((performance.now() - startedAt) / 1_000, { ...attributes, [RESULT]: result });
  try {
    const result = await work();
    record('ok');
    return result;
  } catch (error) {
    record(error instanceof LoadTimeoutError ? 'timeout' : 'error');
    throw error;
  }
}

function named(name: string | undefined): Readonly<Record<string, string>> {
  return name === undefined ? {} : { [NAME]: name };
}

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
  'perf.cache.unsynced': {
    kind: 'upDownCounter',
    unit: '{change}',
    description: 'Keys and tags whose last change may not have reached the store',
  },
  'perf.cache.store.breaker': {
    kind: 'gauge',
    description: '1 for the state the circuit breaker of the store is in, 0 for the others',
  },
} as const;

const BREAKER_STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

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
    observe('perf.cache.unsynced', stats.unsynced, { [NAME]: name });
    for (const state of BREAKER_STATES) {
      const isNow = stats.storeBreaker === state ? 1 : 0;
      observe('perf.cache.store.breaker', isNow, { [NAME]: name, 'perf.cache.state': state });
    }
  });
}
