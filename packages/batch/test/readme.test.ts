import { type RedisServer, startRedis, testReadme } from '@perf/testkit';
import { afterAll, beforeAll } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
  process.env['REDIS_URL'] = server.url;
});
afterAll(() => server.stop());

testReadme(new URL('../README.md', import.meta.url));
