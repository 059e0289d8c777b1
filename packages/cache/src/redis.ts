export { type RedisBus, type RedisBusOptions, redisBus } from './redis-bus.ts';
export type { RedisArgument, RedisBusClient, RedisClient, RedisPipeline, RedisSubscriber } from './redis-client.ts';
export { type RedisStoreOptions, redisStore } from './redis-store.ts';
