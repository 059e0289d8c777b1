import { type Cluster, Redis } from 'ioredis';
import { expectTypeOf, test } from 'vitest';
import { type Codec, jsonCodec } from '@perf/codec';
import { MemoryCache, type Memoized, type Store, TieredCache, cached, memoOf, memoize } from '../src/index.ts';
import { type RedisBusClient, type RedisClient, redisBus, redisStore } from '../src/redis.ts';
import type KeyvRedis from '@keyv/redis';
import type { Keyv, KeyvStorageAdapter } from 'keyv';
import { type KeyvAdapter, keyvStore } from '../src/keyv.ts';
import { type SqliteFailure, type SqliteStore, type SqliteStoreError, sqliteStore } from '../src/sqlite.ts';

interface User {
  readonly name: string;
}
declare const users: Codec<User>;

test('types', () => {
  const memory = new MemoryCache<string, User>({ maxSize: 10, weigh: (user, key) => user.name.length + key.length });
  expectTypeOf(memory.get('k')).toEqualTypeOf<User | undefined>();
  expectTypeOf(memory.set('k', { name: 'x' })).toEqualTypeOf(memory);
  expectTypeOf([...memory]).toEqualTypeOf<[string, User][]>();
  // @ts-expect-error an unknown option
  new MemoryCache({ maxsize: 1 });

  const cache = new TieredCache<string, User>({ codec: users, memory: { weigh: (user) => user.name.length } });
  new TieredCache<string, User>({ codec: jsonCodec });
  expectTypeOf(cache.get('k')).resolves.toEqualTypeOf<User | undefined>();
  expectTypeOf(
    cache.getOrLoad('k', ({ key, signal, previous }) => {
      expectTypeOf(key).toBeString();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(previous).toEqualTypeOf<User | undefined>();
      return { name: key };
    }),
  ).resolves.toEqualTypeOf<User>();
  expectTypeOf(
    cache.getOrLoadMany(['k'], (missing) => new Map(missing.map((key) => [key, { name: key }]))),
  ).resolves.toEqualTypeOf<Map<string, User>>();
  // @ts-expect-error the loader gives another type
  void cache.getOrLoad('k', () => 1);
  // @ts-expect-error an object is no key that processes could share
  new TieredCache<object, User>();

  const find = memoize(cache, async (id: number) => ({ name: String(id) }));
  expectTypeOf(find).toEqualTypeOf<Memoized<[id: number], { name: string }>>();
  // @ts-expect-error the result is none of the cache's values
  memoize(cache, async () => 1);

  class Service {
    @cached(cache, { key: (id) => id })
    async find(id: number): Promise<User> {
      return { name: String(id) };
    }
  }
  expectTypeOf(new Service().find(1)).resolves.toEqualTypeOf<User>();
  expectTypeOf(memoOf(new Service(), 'find').refresh(1)).resolves.toEqualTypeOf<User>();
  // @ts-expect-error the method takes a number
  void memoOf(new Service(), 'find').invalidate('1');
  void cache.getOrLoad('k', () => ({ name: 'x' }), {
    ttl: (user, key) => user.name.length + key.length,
    tags: (user) => [user.name],
  });
  memoize(cache, async (id: number) => ({ name: String(id) }), { tags: (user, id) => [user.name, `id ${id}`] });
  const search = memoize(cache, async (name: string, deep?: boolean) => ({ name: `${name} ${deep}` }), {
    key: (name, deep) => `${name} ${deep}`,
    ttl: (user, name) => user.name.length + name.length,
  });
  expectTypeOf(search).toEqualTypeOf<Memoized<[name: string, deep?: boolean], { name: string }>>();
  expectTypeOf(
    cache.getOrLoadMany(['k'], async (missing) => new Map(missing.map((key) => [key, Promise.resolve({ name: key })]))),
  ).resolves.toEqualTypeOf<Map<string, User>>();

  expectTypeOf<Redis>().toExtend<RedisClient>();
  expectTypeOf<Cluster>().toExtend<RedisClient>();
  expectTypeOf<Redis>().toExtend<RedisBusClient>();
  new TieredCache<string, User>({ store: redisStore(new Redis()), bus: redisBus(new Redis()) });

  expectTypeOf(sqliteStore({ path: new URL('file:///cache.db'), maxBytes: 2 ** 30 })).toEqualTypeOf<SqliteStore>();
  expectTypeOf<SqliteStore>().toExtend<Store & AsyncDisposable>();
  expectTypeOf<SqliteStoreError>().toHaveProperty('reason').toEqualTypeOf<SqliteFailure>();
  // @ts-expect-error there is no file without a path
  sqliteStore({});

  expectTypeOf<Keyv>().toExtend<KeyvAdapter>();
  expectTypeOf<KeyvStorageAdapter>().toExtend<KeyvAdapter>();
  expectTypeOf<KeyvRedis<string>>().toExtend<KeyvAdapter>();
  expectTypeOf(keyvStore(new Map<string, unknown>())).toEqualTypeOf<Store>();
  // @ts-expect-error nothing to write with
  keyvStore({ get: () => undefined });
});
