import { type Codec, v8Codec } from '@perf/codec';
import {
  type Clock,
  checkClock,
  checkDuration,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkRange,
  systemClock,
} from '@perf/core';
import { checkNamePart } from './check-store-options.ts';
import type { Bus } from './bus.ts';
import { MemoryCache } from './memory-cache.ts';
import { MEMORY_OPTIONS, type MemoryCacheOptions } from './memory-options.ts';
import type { Held } from './memory-tier.ts';
import type { Store } from './store.ts';

/** Options of {@link TieredCache}. */
export interface TieredCacheOptions<K, V> {
  /**
   * The memory tier: options, or a cache of your own, to be used by this one alone and closed by you. Its `ttl` is the longest a value stays in memory,
   * before it is read from the store again. `'none'` keeps nothing in this process, failures neither: every call asks the store.
   * @default {}
   */
  readonly memory?: MemoryCacheOptions<K, V> | MemoryCache<K, Held<V>> | 'none';
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
  /**
   * Milliseconds that `getOrLoad` waits for the refresh of a stale value before it answers with that. A refresh that fails within that time is no error either.
   * @default stale values are served at once
   */
  readonly softTimeout?: number;
  /**
   * How eagerly `getOrLoad` refreshes values in the background before they are stale: 1 is a good value, 2 refreshes twice as early, 0 never. By chance, the likelier the nearer the end is and the
   * longer the value took to load (XFetch).
   * @default 0
   */
  readonly refreshAhead?: number;
  /** The share of a `ttl` by which it is shortened at most, at random, from 0 to 1: what was cached together does not end together. @default 0 */
  readonly ttlJitter?: number;
  /** Milliseconds for which a failed load is remembered, and its reason given to every caller. @default the next call loads again */
  readonly negativeTtl?: number;
  /** Milliseconds a loader may take. @default 30_000 */
  readonly loadTimeout?: number;
  /** Milliseconds the store and the bus may take to answer. @default 2_000 */
  readonly storeTimeout?: number;
  /** Calls of the store that fail in a row before it is left alone, `Infinity` for never. @default 5 */
  readonly breakAfter?: number;
  /** Milliseconds from then until one call finds out whether it is back; also between two attempts to repeat changes it did not take. @default 1_000 */
  readonly breakFor?: number;
  /**
   * Who shares a load: `'shared'`, all processes that use the store, if it has leases; `'process'`, the callers in this process, which saves a miss one question to the store.
   * @default 'shared'
   */
  readonly singleFlight?: 'shared' | 'process';
  /** Milliseconds after which another process may load what a process that has died was loading. @default 3_000 */
  readonly leaseTtl?: number;
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
  readonly memory: MemoryCacheOptions<K, V> | MemoryCache<K, Held<V>> | 'none';
  readonly store: Store | undefined;
  readonly bus: Bus | undefined;
  readonly ttl: number;
  /** 0 for none. */
  readonly staleFor: number;
  readonly softTimeout: number | undefined;
  /** 0 for none. */
  readonly refreshAhead: number;
  readonly ttlJitter: number;
  readonly negativeTtl: number | undefined;
  readonly loadTimeout: number;
  readonly storeTimeout: number;
  readonly breakAfter: number;
  readonly breakFor: number;
  /** `undefined` for no leases. */
  readonly leaseTtl: number | undefined;
  readonly namespace: string;
  readonly codec: Codec<unknown>;
  readonly clock: Clock;
  readonly name: string | undefined;
}

const DEFAULTS = {
  memory: {},
  ttl: Infinity,
  refreshAhead: 0,
  ttlJitter: 0,
  loadTimeout: 30_000,
  storeTimeout: 2_000,
  breakAfter: 5,
  breakFor: 1_000,
  singleFlight: 'shared',
  leaseTtl: 3_000,
  namespace: 'default',
  codec: v8Codec,
  clock: systemClock,
} as const;

const WITHOUT_DEFAULT = ['store', 'bus', 'staleFor', 'softTimeout', 'negativeTtl', 'name'] as const;

/** Every option, those without a default perhaps `undefined`. */
type Filled<K, V> = Required<Pick<TieredCacheOptions<K, V>, keyof typeof DEFAULTS>> & {
  readonly [Name in (typeof WITHOUT_DEFAULT)[number]]: TieredCacheOptions<K, V>[Name] | undefined;
};

/** Longer than any timer of Node.js runs. */
const LONGEST: number = 2 ** 31 - 1;

/** In the place of a longer `staleFor`: a value is fresh until that long before its end, which would be never or always if both were infinite. */
const CENTURY: number = 100 * 365.25 * 86_400_000;

export function resolveTieredOptions<K, V>(options: TieredCacheOptions<K, V>): ResolvedTieredOptions<K, V> {
  checkOptions('TieredCache', options, [...Object.keys(DEFAULTS), ...WITHOUT_DEFAULT]);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const nothing = Object.fromEntries(WITHOUT_DEFAULT.map((name) => [name, undefined]));
  const all = { ...DEFAULTS, ...nothing, ...given } as Filled<K, V>;
  checkParts(all);
  checkNumbers(all);
  const { singleFlight, staleFor, codec, leaseTtl, ...rest } = all;
  return {
    ...rest,
    staleFor: Math.min(staleFor ?? 0, CENTURY),
    codec: codec as Codec<unknown>,
    leaseTtl: singleFlight === 'shared' ? leaseTtl : undefined,
  };
}

function checkParts<K, V>({ memory, store, bus, codec, clock, namespace, singleFlight, name }: Filled<K, V>): void {
  if (memory !== 'none' && (typeof memory !== 'object' || memory === null)) {
    throw new TypeError(`\`memory\` must be options, a MemoryCache or 'none', got ${String(memory)}`);
  }
  if (memory !== 'none' && !(memory instanceof MemoryCache)) checkOptions('`memory`', memory, MEMORY_OPTIONS);
  checkClock('clock', clock);
  checkNamePart('namespace', namespace);
  if (store !== undefined) {
    checkMethods('store', store, ['getMany', 'setMany', 'deleteMany', 'invalidateTags', 'clear']);
    if (store.leases !== undefined) checkMethods('store.leases', store.leases, ['acquire', 'extend', 'release']);
  }
  if (bus !== undefined) checkMethods('bus', bus, ['publish', 'subscribe']);
  checkMethods('codec', codec, ['encode', 'decode']);
  checkOneOf('singleFlight', singleFlight, ['shared', 'process']);
  if (name !== undefined) checkName('name', name);
}

function checkNumbers<K, V>(options: Filled<K, V>): void {
  for (const name of ['ttl', 'staleFor', 'softTimeout', 'negativeTtl', 'loadTimeout', 'storeTimeout'] as const) {
    if (options[name] !== undefined) checkDuration(name, options[name]);
  }
  checkRange('refreshAhead', options.refreshAhead, { min: 0, max: 1_000 });
  checkRange('ttlJitter', options.ttlJitter, { min: 0, max: 1 });
  checkLimit('breakAfter', options.breakAfter);
  checkRange('breakFor', options.breakFor, { min: 1, max: LONGEST });
  checkRange('leaseTtl', options.leaseTtl, { min: 10, max: LONGEST });
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
