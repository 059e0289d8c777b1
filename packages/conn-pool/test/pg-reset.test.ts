import { describe, expect, test } from 'vitest';
import { pgBench, until } from './pg-server.ts';

const bench = pgBench();

describe('a client that is given back', () => {
  test('inside a transaction is rolled back, whether that had failed or not', async () => {
    const pool = bench.pool({ max: 1 });
    for (const statement of ['create table left_over (x int)', 'select nonsense']) {
      const client = await pool.connect();
      await client.query('begin');
      await client.query(statement).catch(() => {});
      client.release();
      await pool.query('create temp table mine (x int); drop table mine');
    }
    expect((await pool.query(`select to_regclass('left_over') as t`)).rows[0]?.t).toBe(null);
    expect(pool.stats()).toMatchObject({ created: 1, idle: 1 });
  });

  test('inside a failed transaction that one message began is rolled back too', async () => {
    const pool = bench.pool({ max: 1 });
    await expect(pool.query('begin; select nonsense')).rejects.toMatchObject({ code: '42703' });
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  test('with a statement that nobody waits for has it done first', async () => {
    const pool = bench.pool({ max: 1 });
    await bench.ask('create table unwaited (x int)');
    const client = await pool.connect();
    await client.query('begin');
    void client.query('insert into unwaited values (1)');
    void client.query('commit');
    client.release();
    expect((await pool.query('select * from unwaited')).rows).toEqual([{ x: 1 }]);
    expect(pool.stats().created).toBe(1);
  });

  test('with a statement that does not end in time is replaced, and the server ends the statement', async () => {
    const pool = bench.pool({ max: 1, validateTimeout: 100 });
    const client = await pool.connect();
    const sleeping = client.query('select pg_sleep(100)');
    client.release();
    await expect(sleeping).rejects.toThrow();
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await until(async () => (await bench.sessions()) === 1);
  });

  test('has the listeners of its caller taken off, and keeps those of the connect listeners', async () => {
    const pool = bench.pool({ max: 1 });
    const heard: string[] = [];
    pool.on('connect', (client) => client.on('notice', () => heard.push('for ever')));
    const client = await pool.connect();
    client.on('notice', () => heard.push('for a while'));
    const warn = `do $$ begin raise warning 'x'; end $$`;
    await client.query(warn);
    client.release();
    await pool.query(warn);
    expect(heard).toEqual(['for ever', 'for a while', 'for ever']);
  });

  test('listens to no channel any more', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    await client.query('listen news');
    client.release();
    expect((await pool.query('select pg_listening_channels()')).rows).toEqual([]);
  });

  test("keeps its settings, unless reset is 'session', which also ends locks and temporary tables, not prepared statements", async () => {
    const leave = `set my.setting = 'left'; select pg_advisory_lock(1); create temp table left_behind (x int)`;
    const look = `select current_setting('my.setting', true) as setting, to_regclass('left_behind')::text as t, (select count(*)::int from pg_locks where locktype = 'advisory') as locks`;
    const prepared = { name: 'prepared', text: 'select 1 as one' };
    const found: unknown[] = [];
    for (const reset of ['transaction', 'session'] as const) {
      const pool = bench.pool({ max: 1, reset });
      await pool.query(prepared);
      await pool.query(leave);
      found.push((await pool.query(look)).rows[0]);
      expect((await pool.query(prepared)).rows).toEqual([{ one: 1 }]);
      expect(pool.stats().created).toBe(1);
      await pool.close();
    }
    expect(found).toEqual([
      { setting: 'left', t: 'left_behind', locks: 1 },
      { setting: '', t: null, locks: 0 },
    ]);
  });

  test("inside a transaction stays there if reset is 'none'", async () => {
    const pool = bench.pool({ max: 1, reset: 'none' });
    await pool.query('begin');
    await expect(pool.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: '25P02' });
  });
});
