import { Client } from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { pgBench, until } from './pg-server.ts';

const bench = pgBench();
const one = 'select 1 as one';

describe('what a borrower does to its client', () => {
  test('removing all listeners does not take the pool its own: an idle client that dies then ends nothing', async () => {
    const pool = bench.pool({ max: 1 });
    const onError = vi.fn();
    pool.on('error', onError);
    for (const leave of [() => {}, (client: Client) => client.on('error', () => {})]) {
      onError.mockClear();
      const client = await pool.connect();
      const { rows } = await client.query('select pg_backend_pid() as pid');
      client.removeAllListeners('error');
      leave(client);
      client.release();
      await bench.ask(`select pg_terminate_backend(${rows[0].pid})`);
      await until(() => pool.totalCount === 0);
      expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: '57P01' }), expect.anything());
    }
  });

  test('functions put in place of query and release are called, also after the first statement, and go with the lease', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    await client.query(one);
    const query = client.query.bind(client);
    const release = client.release.bind(client);
    const called: unknown[] = [];
    client.query = ((...statement: Parameters<typeof query>) => {
      called.push(statement[0]);
      return query(...statement);
    }) as typeof query;
    client.release = () => {
      called.push('release');
      release();
    };
    expect((await client.query(one)).rows).toEqual([{ one: 1 }]);
    client.release();
    await pool.query('select 2');
    {
      using next = await pool.connect();
      await next.query('select 3');
    }
    expect(called).toEqual([one, 'release']);
    expect(pool.idleCount).toBe(1);
  });

  test('a function taken out of it ends with the lease too', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    const query = client.query.bind(client);
    client.release();
    expect(() => query(one)).toThrow('this lease has ended');
  });
});

describe('a factory of clients', () => {
  test('that gives the same client twice is told so, and its owner notices nothing', async () => {
    const client = new Client({ connectionString: bench.server.url, application_name: 'pooled' });
    const pool = bench.pool({ client: () => client, max: 2, onCreateError: 'reject-head' });
    const owned = await pool.connect();
    await expect(pool.connect()).rejects.toMatchObject({ cause: { code: 'PERF_CONN_POOL_DUPLICATE_CONNECTION' } });
    expect((await owned.query(one)).rows).toEqual([{ one: 1 }]);
    owned.release();
  });

  test('that gives no client of pg is told so', async () => {
    for (const nothing of [undefined, {}, Promise.resolve(new Client())]) {
      const pool = bench.pool({ client: () => nothing as never, onCreateError: 'reject-head' });
      await expect(pool.query(one)).rejects.toMatchObject({
        cause: { name: 'TypeError', message: '`client` must make a `Client` of pg 8 (not of pg-native)' },
      });
    }
  });
});
