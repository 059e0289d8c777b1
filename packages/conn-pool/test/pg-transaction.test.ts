import type { Client } from 'pg';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { pgBench, until } from './pg-server.ts';

const bench = pgBench();
const insert = (client: Client, x: number) => client.query('insert into t values ($1)', [x]);
const rows = async () => (await bench.ask<{ x: number }>('select x from t order by x')).map(({ x }) => x);

beforeAll(() => bench.ask('create table t (x int unique deferrable initially deferred)'));
beforeEach(() => bench.ask('truncate t'));

describe('transaction()', () => {
  test('commits what the function did, and gives what it returned', async () => {
    const pool = bench.pool({ max: 1 });
    const answer = await pool.transaction(async (client) => {
      await insert(client, 1);
      await insert(client, 2);
      return 'done';
    });
    expect(answer).toBe('done');
    expect(await rows()).toEqual([1, 2]);
    expect(pool.idleCount).toBe(1);
  });

  test('rolls back when the function throws, and throws the same', async () => {
    const pool = bench.pool({ max: 1 });
    const error = new Error('no');
    const failing = pool.transaction(async (client) => {
      await insert(client, 1);
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    await expect(
      pool.transaction(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(await rows()).toEqual([]);
    expect(pool.idleCount).toBe(1);
  });

  test('says so when COMMIT rolled back, because a statement had failed that the function did not mind', async () => {
    const pool = bench.pool({ max: 1 });
    const hiding = pool.transaction(async (client) => {
      await insert(client, 1);
      await client.query('select nonsense').catch(() => {});
    });
    await expect(hiding).rejects.toMatchObject({ code: 'PERF_CONN_POOL_PG_TRANSACTION_ABORTED' });
    expect(await rows()).toEqual([]);
  });

  test('rejects with what COMMIT says', async () => {
    const pool = bench.pool({ max: 1 });
    const twice = pool.transaction(async (client) => {
      await insert(client, 1);
      await insert(client, 1);
    });
    await expect(twice).rejects.toMatchObject({ code: '23505' });
    expect((await pool.query('select 1')).rowCount).toBe(1);
    expect(pool.stats().destroyed).toBe(0);
  });

  test('the error of the function wins over that of ROLLBACK, which becomes its cause; the connection is replaced', async () => {
    const pool = bench.pool({ max: 1 });
    const error = new Error('mine');
    const dying = pool.transaction(async (client) => {
      await insert(client, 1);
      client.connection.stream.destroy();
      throw error;
    });
    await expect(dying).rejects.toBe(error);
    expect(error.cause).toBeInstanceOf(Error);
    expect(await rows()).toEqual([]);
    expect((await pool.query('select 1')).rowCount).toBe(1);
  });

  test('begins as asked', async () => {
    const pool = bench.pool({ max: 1 });
    const settings = (options: object) =>
      pool.transaction(async (client) => {
        const isolation = await client.query('show transaction_isolation');
        const readOnly = await client.query('show transaction_read_only');
        return [isolation.rows[0]?.transaction_isolation, readOnly.rows[0]?.transaction_read_only];
      }, options);
    expect(await settings({})).toEqual(['read committed', 'off']);
    expect(await settings({ isolation: 'serializable', readOnly: true })).toEqual(['serializable', 'on']);
    expect(await settings({ isolation: 'repeatable read' })).toEqual(['repeatable read', 'off']);
    await expect(settings({ isolation: 'high' })).rejects.toThrow('`isolation` must be one of');
    await expect(settings({ readonly: true })).rejects.toThrow('transaction() has no option `readonly`');
    await expect(pool.transaction(undefined as never)).rejects.toThrow('`fn` must be a function');
  });

  test('an abort ends it at once: rolled back on the server, however long its statement would run', async () => {
    const pool = bench.pool({ max: 1 });
    const controller = new AbortController();
    const slow = pool.transaction(
      async (client) => {
        await insert(client, 1);
        controller.abort(new Error('enough'));
        await client.query('select pg_sleep(100)');
      },
      { signal: controller.signal },
    );
    await expect(slow).rejects.toThrow('enough');
    await until(async () => (await bench.sessions()) === 0);
    expect(await rows()).toEqual([]);
    expect((await pool.query('select 1')).rowCount).toBe(1);
  });

  test('is not committed, nor begun, after an abort that its function does not heed', async () => {
    const pool = bench.pool({ max: 1 });
    const controller = new AbortController();
    const gate = Promise.withResolvers<void>();
    let late: unknown;
    const deaf = pool.transaction(
      async (client) => {
        await insert(client, 1);
        controller.abort(new Error('enough'));
        await gate.promise;
        try {
          await insert(client, 2);
        } catch (error) {
          late = error;
        }
      },
      { signal: controller.signal },
    );
    await expect(deaf).rejects.toThrow('enough');
    gate.resolve();
    await until(() => late !== undefined);
    expect(late).toMatchObject({ code: 'PERF_CONN_POOL_LEASE_ENDED' });
    const fn = vi.fn();
    await expect(pool.transaction(fn, { signal: controller.signal })).rejects.toThrow('enough');
    expect(fn).not.toHaveBeenCalled();
    expect(await rows()).toEqual([]);
  });

  test('its client cannot be given back early, nor used afterwards', async () => {
    const pool = bench.pool({ max: 1 });
    const kept = await pool.transaction(async (client) => {
      expect(() => (client as Client & { release(): void }).release()).toThrow('is given back when the transaction');
      return client;
    });
    expect(() => kept.query('select 1')).toThrow('this lease has ended');
  });

  test('a deadlock costs one of the two its transaction, and neither its connection', async () => {
    const pool = bench.pool({ max: 2 });
    await bench.ask('insert into t values (1), (2)');
    let arrived = 0;
    const both = Promise.withResolvers<void>();
    const lock = (first: number, second: number) =>
      pool.transaction(async (client) => {
        await client.query('select * from t where x = $1 for update', [first]);
        if (++arrived === 2) both.resolve();
        await both.promise;
        await client.query('select * from t where x = $1 for update', [second]);
      });
    const outcomes = await Promise.allSettled([lock(1, 2), lock(2, 1)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(pool.stats()).toMatchObject({ idle: 2, destroyed: 0 });
  });
});
