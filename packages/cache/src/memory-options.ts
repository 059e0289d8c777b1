import {
  type Clock,
  checkClock,
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkRange,
  systemClock,
} from '@perf/core';

/**
 * Why a value left a {@link MemoryCache}:
 * `'set'` replaced by another value, `'evict'` to make room (or too heavy to come in at all), `'expire'` its time ran out,
 * `'delete'` by `delete()`, `'clear'` by `clear()` or `close()`.
 */
export type RemovalReason = 'set' | 'evict' | 'expire' | 'delete' | 'clear';

/** Options of {@link MemoryCache}. */
export interface MemoryCacheOptions<K, V> {
  /** The most entries it holds, a positive integer or `Infinity`. @default 10_000, or `Infinity` when `maxWeight` is given */
  readonly maxSize?: number;
  /** The most its entries may weigh together, in the unit of `weigh`. @default Infinity */
  readonly maxWeight?: number;
  /** The weight of a value, a finite number from 0 on; what it throws, `set` throws. @default every entry weighs 1 */
  readonly weigh?: (value: V, key: K) => number;
  /**
   * Milliseconds from `set` until an entry expires; exactly then, however long the event loop was blocked, but for this: while an entry has more than a minute left,
   * a reading of the process's clock is used for up to a second and a hundred uses. An entry is served late only if the event loop does not turn for more than 59 seconds.
   *
   * @default Infinity
   */
  readonly ttl?: number;
  /** Milliseconds without a `get` or `set` after which an entry expires; `ttl` still ends it. @default Infinity */
  readonly slidingTtl?: number;
  /**
   * What goes when room is needed. `'adaptive'` keeps what is used often or again soon, and resists scans and loops.
   *
   * `'lru'` removes what was used least recently, on quick-lru, which keeps two generations of entries: one that is used again while it is young is not moved
   * but gets a second chance when its turn comes, so that the order among such entries is that of their earlier use. Unlike quick-lru by itself, which holds up to
   * twice its size and drops a whole generation at a time, it never holds more than `maxSize`, and removes one at a time.
   *
   * @default 'adaptive'
   */
  readonly eviction?: 'adaptive' | 'lru';
  /**
   * Called exactly once for each value that leaves, after the operation that removed it is complete; it may use the cache. Not called when a value is replaced by itself.
   * What it throws is dropped and counted in `stats().listenerErrors`.
   */
  readonly onRemove?: (key: K, value: V, reason: RemovalReason) => void;
  /** A monotonic source of time, asked whenever an entry that can expire is looked at. @default the process's monotonic clock, which is not read at every use; see `ttl` */
  readonly clock?: Clock;
  /** Reported as `perf.cache.name` with the OpenTelemetry metrics of this cache; without a name there are none. */
  readonly name?: string;
}

/** Checked, with every default filled in. */
export interface ResolvedMemoryOptions<K, V> {
  readonly maxSize: number;
  readonly maxWeight: number;
  readonly weigh: ((value: V, key: K) => number) | undefined;
  readonly ttl: number;
  readonly slidingTtl: number;
  readonly eviction: 'adaptive' | 'lru';
  readonly onRemove: ((key: K, value: V, reason: RemovalReason) => void) | undefined;
  readonly clock: Clock;
  readonly name: string | undefined;
}

/** The names of the options. */
export const MEMORY_OPTIONS: readonly string[] = [
  'maxSize',
  'maxWeight',
  'weigh',
  'ttl',
  'slidingTtl',
  'eviction',
  'onRemove',
  'clock',
  'name',
];

export function resolveMemoryOptions<K, V>(options: MemoryCacheOptions<K, V>): ResolvedMemoryOptions<K, V> {
  checkOptions('MemoryCache', options, MEMORY_OPTIONS);
  const { maxWeight = Infinity, weigh, ttl = Infinity, slidingTtl = Infinity, eviction = 'adaptive', name } = options;
  const { maxSize = maxWeight === Infinity ? 10_000 : Infinity, onRemove, clock = systemClock } = options;
  checkClock('clock', clock);
  checkLimit('maxSize', maxSize);
  if (maxWeight !== Infinity) checkRange('maxWeight', maxWeight, { min: Number.MIN_VALUE, max: Number.MAX_VALUE });
  if (weigh !== undefined) checkFunction('weigh', weigh);
  checkDuration('ttl', ttl);
  checkDuration('slidingTtl', slidingTtl);
  checkOneOf('eviction', eviction, ['adaptive', 'lru']);
  if (onRemove !== undefined) checkFunction('onRemove', onRemove);
  if (name !== undefined) checkName('name', name);
  return { maxSize, maxWeight, weigh, ttl, slidingTtl, eviction, onRemove, clock, name };
}

/** Options of {@link MemoryCache.set}. */
export interface MemorySetOptions {
  /** Milliseconds until this entry expires, instead of the cache's `ttl`. */
  readonly ttl?: number;
  /** The weight of this entry, instead of what `weigh` says: a finite number from 0 on. */
  readonly weight?: number;
}

const SET_OPTIONS = ['ttl', 'weight'];

/** @throws TypeError for an option there is not: an entry meant to expire would stay */
export function checkSetOptions(options: MemorySetOptions): void {
  checkOptions('set', options, SET_OPTIONS);
}

export function checkWeight(weight: unknown): number {
  return checkRange('weight', weight, { min: 0, max: Number.MAX_VALUE });
}
