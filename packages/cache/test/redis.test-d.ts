import type * as ioredis6 from 'ioredis';
import type * as ioredis5 from 'ioredis5';
import { expectTypeOf, test } from 'vitest';
import type { Bus, Store, StoreLeases } from '../src/index.ts';
import {
  type RedisBus,
  type RedisBusClient,
  type RedisClient,
  type RedisStore,
  type RedisTracking,
  type RedisTrackingClient,
  redisBus,
  redisStore,
  redisTracking,
} from '../src/redis.ts';

declare const client: ioredis5.Redis | ioredis6.Redis;
declare const cluster: ioredis5.Cluster | ioredis6.Cluster;

test('types', () => {
  expectTypeOf<ioredis5.Redis>().toExtend<RedisClient & RedisBusClient & RedisTrackingClient>();
  expectTypeOf<ioredis6.Redis>().toExtend<RedisClient & RedisBusClient & RedisTrackingClient>();
  expectTypeOf<ioredis5.Cluster>().toExtend<RedisClient & RedisBusClient>();
  expectTypeOf<ioredis6.Cluster>().toExtend<RedisClient & RedisBusClient>();

  expectTypeOf(redisStore(client)).toEqualTypeOf<RedisStore>();
  expectTypeOf<RedisStore>().toExtend<Store & { leases: StoreLeases }>();
  expectTypeOf(redisBus(cluster)).toEqualTypeOf<RedisBus>();
  expectTypeOf(redisTracking(client, { prefix: 'p' })).toEqualTypeOf<RedisTracking>();
  expectTypeOf<RedisBus & RedisTracking>().toExtend<Bus & AsyncDisposable>();
  // @ts-expect-error tracking is for one Redis
  redisTracking(cluster);
  // @ts-expect-error an unknown option
  redisStore(client, { ttl: 1 });
});
