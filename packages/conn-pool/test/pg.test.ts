import { Client, type Pool, Query } from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { pgPool } from '../src/pg.ts';
import { pgBench, until } from './pg-server.ts';

const bench = pgBench();
const one = 'select 1 as one';

describe('query()', () => {
  test('runs a statement on a connection that is free: text, values, config, rows as arrays', async () => {
    const pool = bench.pool({ max: 2 });
    expect((await pool.query(one)).rows).toEqual([{ one: 1 }]);
    expect((await pool.query('select $1::int + $2::int as sum', [3, 4])).rows).toEqual([{ sum: 7 }]);
    expect((await pool.query({ text: 'select $1::text as t', values: ['x'] })).rows).toEqual([{ t: 'x' }]);
    expect((await pool.query({ text: 'select 1, 2', rowMode: 'array' })).rows).toEqual([[1, 2]]);
    expect(pool.totalCount).toBe(1);
  });

  test('shares few connections among many', async () => {
    const pool = bench.pool({ max: 3 });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => pool.query('select $1::int as i', [i])));
    expect(answers.map(({ rows }) => rows[0]?.i)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(await bench.sessions()).toBeLessThanOrEqual(3);
    await until(() => pool.idleCount === pool.stats().size);
    expect([await bench.sessions(), pool.waitingCount]).toEqual([pool.totalCount, 0]);
  });

  test('takes callbacks, called once, outside of any promise', async () => {
    const pool = bench.pool();
    const called = (run: (callback: (error: unknown, result?: { rows: unknown[] }) => void) => void) =>
      new Promise<[unknown, unknown]>((resolve) => run((error, result) => resolve([error, result?.rows])));
    expect(await called((callback) => pool.query(one, callback))).toEqual([undefined, [{ one: 1 }]]);
    expect(await called((callback) => pool.query('select $1::int as x', [5], callback))).toEqual([
      undefined,
      [{ x: 5 }],
    ]);
    const [error] = await called((callback) => pool.query('select nonsense', callback));
    expect(error).toMatchObject({ code: '42703' });
  });

  test('keeps the connection when a statement fails, and when its values cannot be written', async () => {
    const pool = bench.pool({ max: 1 });
    const pid = async () => (await pool.query('select pg_backend_pid() as pid')).rows[0]?.pid as number;
    const before = await pid();
    await expect(pool.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    await expect(pool.query('select $1::int', ['x'])).rejects.toMatchObject({ code: '22P02' });
    const circle: { self?: unknown } = {};
    circle.self = circle;
    await expect(pool.query('select $1::json', [circle])).rejects.toThrow('circular');
    expect(await pid()).toBe(before);
  });

  test('refuses what is no statement', async () => {
    const pool = bench.pool({ max: 1 });
    const error = await new Promise((resolve) => pool.query(resolve as never));
    expect(error).toMatchObject({ message: 'query() takes a statement first, got a function' });
    await expect(pool.query(null as never)).rejects.toThrow('null or undefined query');
    await expect(pool.query(one, [], { timeuot: 1 } as never)).rejects.toThrow('query() has no option `timeuot`');
    expect((await pool.query(one)).rows).toEqual([{ one: 1 }]);
    expect(pool.stats().inUse).toBe(0);
  });

  test('runs statements that send themselves, and takes the connection back when they are over', async () => {
    const pool = bench.pool({ max: 1 });
    const result = await (pool.query(new Query('select generate_series(1, 3) as n')) as unknown as Promise<{
      rows: unknown[];
    }>);
    expect(result.rows).toHaveLength(3);
    const own = vi.fn();
    pool.query(new Query(one, own));
    await until(() => own.mock.calls.length === 1 && pool.idleCount === 1);
  });

  test('ends a statement whose caller aborts: on the server too, and its connection is not used again', async () => {
    const pool = bench.pool({ max: 1 });
    const controller = new AbortController();
    const sleeping = pool.query('select pg_sleep(100), 1 as sleeper', undefined, { signal: controller.signal });
    const asleep = `select count(*)::int as count from pg_stat_activity where query like '%as sleeper' and state = 'active' and pid <> pg_backend_pid()`;
    const sleepers = async () => (await bench.ask<{ count: number }>(asleep))[0]?.count;
    await until(async () => (await sleepers()) === 1);
    controller.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
    expect((await pool.query(one)).rows).toEqual([{ one: 1 }]);
    await until(async () => (await sleepers()) === 0);
    expect(await bench.sessions()).toBe(1);
  });

  test('a statement that takes too long is ended on the server: by query_timeout with its connection, by statement_timeout without', async () => {
    const config = { connectionString: bench.server.url, application_name: 'pooled' };
    const impatient = bench.pool({ max: 1, client: () => new Client({ ...config, query_timeout: 50 }) });
    await expect(impatient.query('select pg_sleep(100)')).rejects.toThrow('Query read timeout');
    expect((await impatient.query(one)).rows).toEqual([{ one: 1 }]);
    expect(impatient.stats()).toMatchObject({ created: 2, destroyed: 1 });
    await until(async () => (await bench.sessions()) === 1);
    const limited = bench.pool({ max: 1, client: () => new Client({ ...config, statement_timeout: 50 }) });
    await expect(limited.query('select pg_sleep(100)')).rejects.toMatchObject({ code: '57014' });
    expect((await limited.query(one)).rows).toEqual([{ one: 1 }]);
    expect(limited.stats()).toMatchObject({ created: 1, destroyed: 0 });
  });

  test('does not begin for who aborted while waiting', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    const controller = new AbortController();
    const waiting = pool.query(one, [], { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(pool.query(one, [], { timeout: 10 })).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
    });
    client.release();
    expect(pool.idleCount).toBe(1);
  });
});

describe('connect()', () => {
  test('lends a client until it is released, by promise, callback and block', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    expect(client).toBeInstanceOf(Client);
    expect((await client.query(one)).rows).toEqual([{ one: 1 }]);
    client.release();
    await new Promise<void>((resolve, reject) => {
      pool.connect((error, lent, done) => {
        if (error !== undefined || lent === undefined) return reject(error);
        lent.query(one, (failure) => {
          done();
          if (failure) reject(failure);
          else resolve();
        });
      });
    });
    {
      using lent = await pool.connect();
      expect((await lent.query(one)).rows).toHaveLength(1);
    }
    expect(pool.idleCount).toBe(1);
  });

  test('a second release is an error, and a stale one does not touch the next owner', async () => {
    const pool = bench.pool({ max: 1 });
    const stale = await pool.connect();
    stale.release();
    expect(() => stale.release()).toThrow('this lease has ended');
    const owner = await pool.connect();
    expect(() => stale.release()).toThrow('this lease has ended');
    expect(() => stale.query(one)).toThrow('this lease has ended');
    expect(pool.stats().inUse).toBe(1);
    expect((await owner.query(one)).rows).toHaveLength(1);
    owner.release();
  });

  test('release with an error, or true, has the client replaced', async () => {
    const pool = bench.pool({ max: 1 });
    const pids: unknown[] = [];
    for (const how of [true, new Error('broken'), undefined]) {
      const client = await pool.connect();
      pids.push((await client.query('select pg_backend_pid() as pid')).rows[0]?.pid);
      client.release(how);
    }
    expect(new Set(pids).size).toBe(3);
    expect(pool.idleCount).toBe(1);
  });

  test('a client whose end() was called, or that broke, is not lent again', async () => {
    const pool = bench.pool({ max: 1 });
    const ended = await pool.connect();
    await ended.end();
    ended.release();
    const broken = await pool.connect();
    broken.connection.stream.destroy();
    await expect(broken.query(one)).rejects.toThrow();
    broken.release();
    expect((await pool.query(one)).rows).toHaveLength(1);
  });
});

describe('events and ends', () => {
  test('tells of clients as pg.Pool does, and what a listener throws is dropped', async () => {
    const pool = bench.pool({ max: 1 });
    const heard: string[] = [];
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const) {
      pool.on(event, () => {
        heard.push(event);
        throw new Error('a bad listener');
      });
    }
    await pool.query(one);
    (await pool.connect()).release();
    await pool.end();
    expect(heard).toEqual(['connect', 'acquire', 'release', 'acquire', 'release', 'remove']);
  });

  test('what a connect listener or onConnect sets is there before anybody gets the client', async () => {
    const pool = bench.pool({ onConnect: (client) => client.query(`set my.hook = 'hook'`) });
    pool.on('connect', (client) => void client.query(`set my.event = 'event'`));
    const { rows } = await pool.query(
      `select current_setting('my.hook') as hook, current_setting('my.event') as event`,
    );
    expect(rows).toEqual([{ hook: 'hook', event: 'event' }]);
  });

  test('tells with which error a client was given back, and of an idle client that died', async () => {
    const pool = bench.pool({ max: 1 });
    const heard: unknown[] = [];
    pool.on('release', (error) => heard.push(error));
    const error = new Error('broken');
    (await pool.connect()).release(error);
    await expect(pool.query('select nonsense')).rejects.toBeInstanceOf(Error);
    await pool.query(one);
    expect(heard).toEqual([error, expect.objectContaining({ code: '42703' }), undefined]);
    const dead = new Promise((resolve) => pool.on('error', (cause, client) => resolve([cause, client])));
    await bench.ask(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pooled'`);
    expect(await dead).toEqual([expect.objectContaining({ code: '57P01' }), expect.any(Client)]);
    expect(pool.idleCount).toBe(0);
  });

  test('a client whose onConnect fails is not lent, and its connection is closed', async () => {
    let failing = true;
    const pool = bench.pool({
      max: 1,
      acquireTimeout: 100,
      onConnect: (client) => client.query(failing ? 'select nonsense' : one),
    });
    await expect(pool.connect()).rejects.toMatchObject({ cause: { code: '42703' } });
    failing = false;
    expect((await pool.query(one, [], { timeout: 10_000 })).rows).toEqual([{ one: 1 }]);
    expect(await bench.sessions()).toBe(1);
  });

  test('with reject-head a failure to connect reaches the caller at once, as with pg.Pool', async () => {
    const client = () => new Client({ host: '127.0.0.1', port: 1 });
    const pool = bench.pool({ client, onCreateError: 'reject-head' });
    await expect(pool.query(one)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    const [error, lent, done] = await new Promise<unknown[]>((resolve) => pool.connect((...all) => resolve(all)));
    expect([error, lent, typeof done]).toEqual([expect.any(Error), undefined, 'function']);
  });

  test('a client is replaced after maxUses', async () => {
    const pool = bench.pool({ max: 1, maxUses: 2 });
    const pids: unknown[] = [];
    for (let i = 0; i < 4; i++) pids.push((await pool.query('select pg_backend_pid() as pid')).rows[0]?.pid);
    expect(new Set(pids).size).toBe(2);
    expect(pool.options).toMatchObject({ max: 1, maxUses: 2 });
  });

  test('end() serves who waits, waits for who has a client, and may be called again', async () => {
    const pool = bench.pool({ max: 1 });
    const client = await pool.connect();
    const waiting = pool.query(one);
    const ending = pool.end();
    expect([pool.ending, pool.ended]).toEqual([true, false]);
    await expect(pool.connect()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    await client.query(one);
    client.release();
    expect((await waiting).rows).toHaveLength(1);
    await ending;
    await pool.end();
    await new Promise<void>((resolve) => pool.end(() => resolve()));
    expect([pool.ended, pool.totalCount]).toEqual([true, 0]);
  });
});

describe('options', () => {
  test('those of pg.Pool are understood: the class and its configuration', async () => {
    const pool = pgPool({
      Client,
      connectionString: bench.server.url,
      application_name: 'pooled',
      max: 1,
      min: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: 50,
      maxLifetimeSeconds: 60,
    });
    await pool.warmUp();
    expect(await bench.sessions()).toBe(1);
    const client = await pool.connect();
    await expect(pool.connect()).rejects.toMatchObject({ timeout: 50 });
    client.release();
    expect(pool.connections.name).toBe(`127.0.0.1:${bench.server.port}/postgres`);
    await pool.end();
  });

  test('a pool may be handed to what asks for a pg.Pool', () => {
    const pool: Pool = bench.pool();
    expect(Object.getPrototypeOf(pool).constructor.name).toContain('Pool');
  });

  test('bad ones are refused', () => {
    const client = () => new Client();
    expect(() => pgPool({} as never)).toThrow('`client` must be a function, got undefined');
    expect(() => pgPool({ client, Client })).toThrow('either `client` or `Client`');
    expect(() => pgPool({ client, host: 'x' })).toThrow('pgPool has no option `host`');
    expect(() => pgPool({ client, create: client } as never)).toThrow('pgPool has no option `create`');
    expect(() => pgPool({ client, reset: 'all' } as never)).toThrow('`reset` must be one of');
    expect(() => pgPool({ client, max: 0 })).toThrow('`max` must be a positive integer, got 0');
    expect(() => pgPool({ client, idleTimeoutMillis: -1 })).toThrow('`idleTimeoutMillis` must be');
    expect(() => pgPool({ client, maxLifetimeSeconds: -1 })).toThrow('`maxLifetimeSeconds` must be a number from 0');
    expect(() => pgPool({ client, isFatal: 5 } as never)).toThrow('`isFatal` must be a function, got 5');
    for (const nothing of [undefined, null, 'postgres://localhost']) {
      expect(() => pgPool(nothing as never)).toThrow('pgPool takes an options object');
    }
    expect(() => bench.pool().end('now' as never)).toThrow('`callback` must be a function, got "now"');
  });
});
