import type { Clock } from '@perf/core';
import { earliestRefresh, isEarlyRefreshDue } from './early-refresh.ts';
import { MemoryCache } from './memory-cache.ts';
import type { MemoryCacheOptions } from './memory-options.ts';
import { type TimeSource, timeSourceOf } from './recent-time.ts';
import type { TagHistory } from './tag-history.ts';
import { NO_TAGS } from './no-tags.ts';

/** What a {@link TieredCache} keeps in memory for a key: a value, or the failure to load one. Opaque. */
export interface Held<V> {
  readonly value: V | undefined;
  /** Why the load failed; only looked at when `failed`. */
  readonly error: unknown;
  readonly failed: boolean;
  /** A promise of the value, made for the first reader who waits for it: the next ones need no other. */
  answer: Promise<V> | undefined;
  /** Whether a reader need not look at anything but the value: most entries are so, and hits on them cost least. */
  readonly isPlain: boolean;
  /** Up to when the value is fresh; after that it is stale, until the cache drops it. */
  readonly freshUntil: number;
  /** Up to when nobody has to think of refreshing it. */
  readonly refreshFrom: number;
  /** Up to when it is not refreshed again, after a refresh that failed. */
  retryAt: number;
  /** Milliseconds its load took. */
  readonly cost: number;
  readonly tags: readonly string[];
  /** Of the tag history, when the value was read or loaded. */
  readonly position: number;
}

/** Until when something may be kept, by the cache's clock. */
export interface Life {
  readonly freshUntil: number;
  /** The end: fresh and stale time together. */
  readonly until: number;
}

/** A value to keep. */
export interface Keep<V> {
  readonly value: V;
  readonly life: Life;
  readonly cost: number;
  readonly tags: readonly string[];
  readonly position: number;
}

export interface MemoryTierOptions {
  readonly clock: Clock;
  /** The longest anything is kept, 0 for not at all. */
  readonly ttl: number;
  /** How eagerly values are refreshed before they are stale, 0 for not at all. */
  readonly eagerness: number;
  readonly history: TagHistory;
}

/** How long an entry is kept while it is not certain that others can tell this process of their changes. */
const UNCONNECTED_TTL = 1_000;

/** The first tier: values in this process. */
export class MemoryTier<K, V> {
  readonly cache: MemoryCache<K, Held<V>>;
  readonly #options: MemoryTierOptions;
  readonly #time: TimeSource;
  #connected = true;

  constructor(cache: MemoryCache<K, Held<V>>, options: MemoryTierOptions) {
    this.cache = cache;
    this.#options = options;
    this.#time = timeSourceOf(options.clock);
  }

  /** What is held for `key` and not over; counts as a use. */
  find(key: K): Held<V> | undefined {
    const held = this.cache.get(key);
    if (held === undefined || held.isPlain || !this.#options.history.hasEnded(held.tags, held.position)) return held;
    this.cache.delete(key);
    return undefined;
  }

  isFresh(held: Held<V>): boolean {
    return held.refreshFrom === Infinity || !this.#time.isOver(held.freshUntil);
  }

  /** Whether there is nothing to do but to give the value: it is fresh, and not to be refreshed yet. */
  isQuiet(held: Held<V>): boolean {
    return !held.failed && !this.#time.isOver(held.refreshFrom);
  }

  /** Whether the reader of this value should refresh it. */
  isDue(held: Held<V>): boolean {
    if (held.refreshFrom === Infinity) return false;
    const { clock, eagerness } = this.#options;
    const now = clock.now();
    if (now < held.refreshFrom || now < held.retryAt) return false;
    const { freshUntil, cost } = held;
    return now >= freshUntil || isEarlyRefreshDue({ freshUntil, cost, eagerness }, now);
  }

  /** Keeps a value, not longer than the memory's own `ttl`. What `weigh` throws is thrown, and nothing is held for the key then. */
  keep(key: K, { value, life, cost, tags, position }: Keep<V>): void {
    const { eagerness, ttl } = this.#options;
    if (ttl === 0) return;
    const { freshUntil } = life;
    // Without a grace period the end of the entry says it all, and a hit needs to read the clock only once.
    const refreshFrom =
      freshUntil === life.until && eagerness === 0 ? Infinity : earliestRefresh({ freshUntil, cost, eagerness });
    const isPlain = refreshFrom === Infinity && tags === NO_TAGS;
    const times = { freshUntil, refreshFrom, retryAt: -Infinity };
    const answer = undefined;
    this.#hold(
      key,
      { value, answer, error: undefined, failed: false, isPlain, ...times, cost, tags, position },
      life.until,
    );
  }

  /** Remembers a failure, unless there is a value: stale is better than none. */
  keepFailure(key: K, error: unknown, ttl: number): void {
    const held = this.cache.peek(key);
    if (held !== undefined && !held.failed) return;
    const until = this.#options.clock.now() + ttl;
    const times = { freshUntil: Infinity, refreshFrom: Infinity, retryAt: -Infinity };
    const nothing = { value: undefined, answer: undefined, cost: 0, tags: NO_TAGS, position: 0 };
    this.#hold(key, { ...nothing, error, failed: true, isPlain: false, ...times }, until);
  }

  /** Does not refresh a value for `ms` milliseconds. */
  postponeRefresh(key: K, ms: number): void {
    const held = this.cache.peek(key);
    if (held !== undefined) held.retryAt = this.#options.clock.now() + ms;
  }

  delete(key: K): void {
    this.cache.delete(key);
  }

  clear(): void {
    this.cache.clear();
  }

  /** Says whether changes made elsewhere are heard of, from now on: what is held was kept under another assumption. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
  }

  #hold(key: K, held: Held<V>, until: number): void {
    const { ttl: longest, clock } = this.#options;
    const limit = this.#connected ? longest : Math.min(longest, UNCONNECTED_TTL);
    const ttl = Math.min(until - clock.now(), limit);
    try {
      if (ttl > 0) this.cache.set(key, held, { ttl });
      else this.cache.delete(key);
    } catch (error) {
      this.cache.delete(key);
      throw error;
    }
  }
}

/** Makes the memory tier of a cache from what its `memory` option says. @throws TypeError when the memory is in use by another cache */
export function memoryTier<K, V>(
  memory: MemoryCacheOptions<K, V> | MemoryCache<K, Held<V>> | 'none',
  { name, ...rest }: Omit<MemoryTierOptions, 'ttl'> & { readonly name: string | undefined },
): MemoryTier<K, V> {
  if (memory instanceof MemoryCache) {
    adopt(memory);
    return new MemoryTier(memory, { ...rest, ttl: memory.ttl });
  }
  if (memory === 'none') return new MemoryTier(new MemoryCache<K, Held<V>>({ maxSize: 1 }), { ...rest, ttl: 0 });
  const cache = memoryOf(name === undefined ? memory : { name, ...memory }, rest.clock);
  return new MemoryTier(cache, { ...rest, ttl: memory.ttl ?? Infinity });
}

/** The memory behind a {@link MemoryTier}, for options that speak of values: weight and removals are those of the value inside. */
function memoryOf<K, V>(options: MemoryCacheOptions<K, V>, clock: Clock): MemoryCache<K, Held<V>> {
  const { weigh, onRemove, ...rest } = options;
  return new MemoryCache<K, Held<V>>({
    clock,
    ...rest,
    ...(weigh && { weigh: (held: Held<V>, key: K) => (held.failed ? 1 : weigh(held.value as V, key)) }),
    ...(onRemove && {
      onRemove: (key: K, held: Held<V>, reason) => {
        if (!held.failed) onRemove(key, held.value as V, reason);
      },
    }),
  });
}

/** Memories in use: two caches in one would be given each other's values. */
const adopted = /*@__PURE__*/ new WeakSet<object>();

/** @throws TypeError when another cache has it */
function adopt(memory: object): void {
  if (adopted.has(memory)) throw new TypeError('`memory` is in use by another TieredCache');
  adopted.add(memory);
}
