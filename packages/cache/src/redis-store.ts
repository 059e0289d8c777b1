import { checkOptions } from '@perf/core';
import { checkFenceFor, checkNamePart } from './check-store-options.ts';
import { type RedisClient, checkRedis } from './redis-client.ts';
import { RedisLeases } from './redis-leases.ts';
import { RedisNamespaces } from './redis-namespace.ts';
import { RedisReads } from './redis-reads.ts';
import { RedisWrites } from './redis-writes.ts';
import type { Store, StoreEntry, StoreLeases, StoreReadHints, StoreWrite } from './store.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What every key starts with; no `:` in it. @default 'perf' */
  readonly prefix?: string;
  /**
   * Milliseconds for which changes of a key are remembered. A value whose load took longer may not be kept; each entry stays in Redis at least this long.
   * @default 60_000
   */
  readonly fenceFor?: number;
}

/** A store that can lend keys out. */
export interface RedisStore extends Store {
  readonly leases: StoreLeases;
}

/**
 * Keeps values in Redis 7 or later, or Valkey, on a client of yours (ioredis 5 or 6, standalone or Cluster), which stays yours to close. Entries are the strings `prefix:namespace:key`, what
 * is known of a namespace is the hash `prefix::namespace`.
 *
 * A read is one round trip for all keys. A `clear` is one write whatever the namespace holds: it has a generation, every value carries the one it
 * was written in, and values of another are not seen. The same goes for tags, whose invalidations are counted. `KEYS` and `SCAN` are never used.
 *
 * @throws RangeError or TypeError naming the option that is wrong
 */
export function redisStore(redis: RedisClient, options: RedisStoreOptions = {}): RedisStore {
  checkRedis(redis, ['pipeline', 'callBuffer']);
  checkOptions('redisStore', options, ['prefix', 'fenceFor']);
  const { prefix = 'perf', fenceFor = 60_000 } = options;
  checkNamePart('prefix', prefix);
  checkFenceFor(fenceFor);
  return new RedisBackedStore(redis, { prefix, fenceFor });
}

class RedisBackedStore implements RedisStore {
  readonly leases: StoreLeases;
  readonly #namespaces: RedisNamespaces;
  readonly #reads: RedisReads;
  readonly #writes: RedisWrites;

  constructor(redis: RedisClient, { prefix, fenceFor }: Required<RedisStoreOptions>) {
    const namespaces = new RedisNamespaces(redis, prefix);
    this.#namespaces = namespaces;
    this.#reads = new RedisReads({ redis, prefix, namespaces });
    this.#writes = new RedisWrites({ redis, prefix, namespaces, fenceFor });
    this.leases = new RedisLeases({ redis, prefix, namespaces, fenceFor });
  }

  getMany(namespace: string, keys: readonly string[], hints?: StoreReadHints): Promise<readonly StoreEntry[]> {
    return this.#reads.getMany(namespace, keys, hints?.tags);
  }

  setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    return this.#writes.setMany(namespace, writes);
  }

  deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    return this.#writes.deleteMany(namespace, keys);
  }

  invalidateTags(namespace: string, tags: readonly string[]): Promise<void> {
    return this.#namespaces.invalidateTags(namespace, tags);
  }

  clear(namespace: string): Promise<void> {
    return this.#namespaces.clear(namespace);
  }
}
