import type { Socket } from 'node:net';
import { Client } from '@modelcontextprotocol/client';
import { expectTypeOf, test } from 'vitest';
import { ConnectionPool, type ConnectionPoolStats, type Lease } from '../src/index.ts';
import { mcpPool } from '../src/mcp.ts';
import { tcpPool } from '../src/tcp.ts';

test('the connection type follows from create', () => {
  const pool = new ConnectionPool({
    create: async () => ({ query: () => 1 }),
    destroy: (each) => each.query(),
    max: 1,
  });
  expectTypeOf(pool).toEqualTypeOf<ConnectionPool<{ query: () => number }>>();
  expectTypeOf(pool.acquire()).toEqualTypeOf<Promise<Lease<{ query: () => number }>>>();
  expectTypeOf(pool.tryAcquire()).toEqualTypeOf<Lease<{ query: () => number }> | undefined>();
  expectTypeOf(pool.use((each) => each.query())).toEqualTypeOf<Promise<number>>();
  expectTypeOf(pool.use(async () => 'x')).toEqualTypeOf<Promise<string>>();
  expectTypeOf(pool.stats()).toEqualTypeOf<Readonly<ConnectionPoolStats>>();
  expectTypeOf<Lease<number>>().toExtend<Disposable>();
  expectTypeOf(pool).toExtend<AsyncDisposable>();
});

test('unknown and missing options are errors', () => {
  const good = { create: () => 1, destroy: () => {} };
  // @ts-expect-error max is required
  const missing = () => new ConnectionPool(good);
  // @ts-expect-error the option is called max
  const unknown = () => new ConnectionPool({ ...good, max: 1, maxSize: 2 });
  expectTypeOf(missing).toBeFunction();
  expectTypeOf(unknown).toBeFunction();
});

test('the adapters give the clients of their own kind', () => {
  expectTypeOf(tcpPool).returns.toEqualTypeOf<ConnectionPool<Socket>>();
  const clients = mcpPool({ max: 1, connect: async () => new Client({ name: 'a', version: '1' }) });
  expectTypeOf(clients).toEqualTypeOf<ConnectionPool<Client>>();
});
