export { freePort } from './free-port.ts';
export { ManualClock } from './manual-clock.ts';
export { type PostgresServer, startPostgres } from './postgres.ts';
export { type ReadmeOptions, testReadme } from './readme.ts';
export { type RedisServer, startRedis } from './redis.ts';
export { seededRandom } from './seeded-random.ts';
export { type RedisClusterServers, startRedisCluster } from './redis-cluster.ts';
