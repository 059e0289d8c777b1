import { type Codec, v8Codec } from '@perf/codec';
import { type Clock, checkClock, checkDuration, checkName, checkOptions, systemClock } from '@perf/core';
import type { Bus } from './bus.ts';
import { MemoryCache } from './memory-cache.ts';
import { MEMORY_OPTIONS, type MemoryCacheOptions } from './memory-options.ts';
import type { Held } from './memory-tier.ts';
import type { Store } from './store.ts';

/** Options of {@link TieredCache}. */
export interface TieredCacheOptions<K, V> {
  /**
   * The memory tier: options, or a cache of your own, to be used by this one alone and closed by you. A `ttl` in the options is the longest a value stays in memory,
   * before it is read from the store again.
   * @default {}
   */
  readonly memory?: MemoryCacheOptions<K, V> | MemoryCache<K, Held<V>>;
  /** Where values are kept beyond this process. Not closed by the cache. */
  readonly store?: Store;
  /** Tells other processes of changes, and this one of theirs. Not closed by the cache. */
  readonly bus?: Bus;
  /** Milliseconds a value is fresh. @default Infinity */
  readonly ttl?: number;
  /**
   * Milliseconds after `ttl` in which `getOrLoad` answers with the stale value at once and refreshes it in the background; a refresh that fails is tried again
   * after `negativeTtl`, or a second. @default no stale value is served
   */
  readonly staleFor?: number;
  /** Milliseconds for which a failed load is remembered, and its reason given to every caller. @default the next call loads again */
  readonly negativeTtl?: number;
  /** Milliseconds a loader may take. @default 30_000 */
  readonly loadTimeout?: number;
  /** Milliseconds the store and the bus may take to answer. @default 2_000 */
  readonly storeTimeout?: number;
  /** Keeps the keys of this cache apart from those of others in the same store; no `:` in it. @default 'default' */
  readonly namespace?: string;
  /** How values are written to the store. @default v8Codec */
  readonly codec?: Codec<V> | Codec<unknown>;
  /** A monotonic source of time. @default the process's monotonic clock */
  readonly clock?: Clock;
  /** Reported as `perf.cache.name` with the OpenTelemetry metrics and spans of this cache; without a name there are no metrics. */
  readonly name?: string;
}

/** Checked, with every default filled in. */
export interface ResolvedTieredOptions<K, V> {
  readonly memory: MemoryCacheOptions<K, V> | MemoryCache<K, Held<V>>;
  readonly store: Store | undefined;
  readonly bus: Bus | undefined;
  readonly ttl: number;
  /** 0 for none. */
  readonly staleFor: number;
  readonly negativeTtl: number | undefined;
  readonly loadTimeout: number;
  readonly storeTimeout: number;
  readonly namespace: string;
  readonly codec: Codec<unknown>;
  readonly clock: Clock;
  readonly name: string | undefined;
}

const KNOWN = [
  'memory',
  'store',
  'bus',
  'ttl',
  'staleFor',
  'negativeTtl',
  'loadTimeout',
  'storeTimeout',
  'namespace',
  'codec',
  'clock',
  'name',
];

export function resolveTieredOptions<K, V>(options: TieredCacheOptions<K, V>): ResolvedTieredOptions<K, V> {
  checkOptions('TieredCache', options, KNOWN);
  const { memory = {}, store, bus, ttl = Infinity, staleFor, negativeTtl, loadTimeout = 30_000 } = options;
  const { storeTimeout = 2_000, namespace = 'default', codec = v8Codec, clock = systemClock, name } = options;
  if (!(memory instanceof MemoryCache)) checkOptions('`memory`', memory, MEMORY_OPTIONS);
  checkClock('clock', clock);
  checkDuration('ttl', ttl);
  if (staleFor !== undefined) checkDuration('staleFor', staleFor);
  if (negativeTtl !== undefined) checkDuration('negativeTtl', negativeTtl);
  checkDuration('loadTimeout', loadTimeout);
  checkDuration('storeTimeout', storeTimeout);
  if (checkName('namespace', namespace).includes(':')) {
    throw new RangeError(`\`namespace\` must not contain a colon, got ${JSON.stringify(namespace)}`);
  }
  if (store !== undefined) checkMethods('store', store, ['getMany', 'setMany', 'deleteMany', 'clear']);
  if (bus !== undefined) checkMethods('bus', bus, ['publish', 'subscribe']);
  checkMethods('codec', codec, ['encode', 'decode']);
  if (name !== undefined) checkName('name', name);
  const codecOfAll = codec as Codec<unknown>;
  return {
    memory,
    store,
    bus,
    ttl,
    staleFor: staleFor ?? 0,
    negativeTtl,
    loadTimeout,
    storeTimeout,
    namespace,
    codec: codecOfAll,
    clock,
    name,
  };
}

function checkMethods(option: string, value: object, methods: readonly string[]): void {
  for (const method of methods) {
    if (
      typeof value === 'object' &&
      value !== null &&
      typeof (value as Record<string, unknown>)[method] === 'function'
    ) {
      continue;
    }
    throw new TypeError(`\`${option}\` must have a method \`${method}\``);
  }
}
