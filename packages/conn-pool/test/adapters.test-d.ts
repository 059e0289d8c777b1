import type { Redis } from 'ioredis';
import type { Redis as Redis5 } from 'ioredis5';
import { Client, type Pool, type QueryResult } from 'pg';
import { expectTypeOf, test } from 'vitest';
import type { ConnectionPool, Lease } from '../src/index.ts';
import { type PgPool, type PgPoolClient, type PgResult, pgPool } from '../src/pg.ts';
import { redisPool, redisTransaction } from '../src/redis.ts';
import { tcpPool } from '../src/tcp.ts';

declare const redis: Redis;
declare const redis5: Redis5;

test('pgPool() has the types of its client, and is a pg.Pool', () => {
  const pool = pgPool({ client: () => new Client(), max: 3 });
  expectTypeOf(pool).toEqualTypeOf<PgPool<Client>>();
  expectTypeOf(pool).toExtend<Pool>();
  expectTypeOf(pool).toExtend<AsyncDisposable>();
  expectTypeOf(pool.query<{ id: number }>('select 1')).toEqualTypeOf<Promise<QueryResult<{ id: number }>>>();
  const { signal } = new AbortController();
  expectTypeOf(pool.query<{ id: number }>('select 1', [], { signal })).toEqualTypeOf<
    Promise<PgResult<{ id: number }>>
  >();
  expectTypeOf(pool.connect()).toEqualTypeOf<Promise<PgPoolClient<Client>>>();
  expectTypeOf<PgPoolClient<Client>>().toExtend<Disposable>();
  expectTypeOf(pool.transaction(async (client) => (await client.query('select 1')).rowCount)).toEqualTypeOf<
    Promise<number | null>
  >();
  expectTypeOf(pool.acquire()).toEqualTypeOf<Promise<Lease<Client>>>();
});

test('pgPool() takes the options of its Client flat', () => {
  expectTypeOf(pgPool({ Client, connectionString: 'postgres://x', ssl: true, max: 3 })).toEqualTypeOf<PgPool<Client>>();
  // @ts-expect-error no such option
  const unknown = () => pgPool({ Client, hosts: 'x' });
  // @ts-expect-error a session is not shared
  const shared = () => pgPool({ Client, maxLeasesPerConnection: 2 });
  // @ts-expect-error no such isolation
  const isolated = () => pgPool({ Client }).transaction(() => 1, { isolation: 'high' });
  expectTypeOf([unknown, shared, isolated]).toBeArray();
});

test('redisPool() takes clients of ioredis 5 and 6', () => {
  const pool = redisPool({ client: () => redis, max: 1 });
  expectTypeOf(pool).toEqualTypeOf<ConnectionPool<Redis>>();
  expectTypeOf(redisPool({ client: () => redis5, max: 1 })).toEqualTypeOf<ConnectionPool<Redis5>>();
  const done = redisTransaction(pool, { watch: ['a'], prepare: (client) => client.multi().incr('a') });
  expectTypeOf(done).toEqualTypeOf<Promise<[error: Error | null, result: unknown][] | undefined>>();
  // @ts-expect-error max is required
  const missing = () => redisPool({ client: () => redis });
  expectTypeOf(missing).toBeFunction();
});

test('tcpPool() has no option for sharing a stream', () => {
  // @ts-expect-error a stream is not shared
  const shared = () => tcpPool({ port: 1, max: 1, maxLeasesPerConnection: 2 });
  expectTypeOf(shared).toBeFunction();
});
