export { type RedisBus, type RedisBusOptions, redisBus } from './redis-bus.ts';
export type {
  RedisArgument,
  RedisBusClient,
  RedisClient,
  RedisNode,
  RedisNodes,
  RedisPipeline,
  RedisPublisher,
  RedisSubscriber,
  RedisSubscriberOptions,
  RedisTrackingClient,
} from './redis-client.ts';
export { type RedisStore, type RedisStoreOptions, redisStore } from './redis-store.ts';
export { type RedisTracking, type RedisTrackingOptions, redisTracking } from './redis-tracking.ts';
