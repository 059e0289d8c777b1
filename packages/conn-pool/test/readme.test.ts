import { type PostgresServer, type RedisServer, startPostgres, startRedis, testReadme } from '@perf/testkit';
import { afterAll, beforeAll } from 'vitest';

let redis: RedisServer;
let postgres: PostgresServer;
beforeAll(async () => {
  redis = await startRedis();
  postgres = await startPostgres();
  process.env['REDIS_URL'] = redis.url;
  process.env['DATABASE_URL'] = postgres.url;
});
afterAll(async () => {
  await redis.stop();
  await postgres.stop();
});

testReadme(new URL('../README.md', import.meta.url));
