import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isPgConnectionLost } from '../src/pg.ts';
import type { PgPool } from '../src/pg.ts';
import { pgBench, until } from './pg-server.ts';

const bench = pgBench({ max_connections: '12', superuser_reserved_connections: '2' });
const uncaught: unknown[] = [];
const onUncaught = (error: unknown) => uncaught.push(error);

beforeAll(() =>
  bench.ask(
    'create table counters (id int primary key, n int); insert into counters select i, 0 from generate_series(0, 9) i',
  ),
);
beforeEach(() => {
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
});
afterEach(() => {
  process.off('uncaughtException', onUncaught);
  process.off('unhandledRejection', onUncaught);
  expect(uncaught.splice(0)).toEqual([]);
});

async function pids(): Promise<number[]> {
  const rows = await bench.ask<{ pid: number }>(`select pid from pg_stat_activity where application_name = 'pooled'`);
  return rows.map(({ pid }) => pid);
}

/** Workers that count in transactions, until stopped. */
function load(pool: PgPool<Client>, workers: number) {
  const outcomes = { ok: 0, failed: 0 };
  let stop = false;
  const work = async (id: number): Promise<void> => {
    while (!stop) {
      await pool
        .transaction((client) => client.query('update counters set n = n + 1 where id = $1', [id]))
        .then(
          () => outcomes.ok++,
          () => outcomes.failed++,
        );
    }
  };
  const done = Promise.all(Array.from({ length: workers }, (_, id) => work(id)));
  return {
    outcomes,
    stop: () => {
      stop = true;
      return done;
    },
  };
}

describe('when the server', () => {
  test('is killed under load and comes back, the pool recovers alone: nothing is counted twice, lost or left behind', async () => {
    await bench.ask('update counters set n = 0');
    const pool = bench.pool({ max: 5, acquireTimeout: 30_000 });
    const work = load(pool, 10);
    await until(() => work.outcomes.ok > 100);
    await bench.server.kill();
    await bench.server.restart();
    const { ok } = work.outcomes;
    await until(() => work.outcomes.ok > ok + 100);
    await work.stop();
    const [{ sum }] = (await bench.ask<{ sum: number }>('select sum(n)::int as sum from counters')) as [
      { sum: number },
    ];
    // Of the transactions that failed, up to one a connection may have been committed before its answer was lost.
    expect(sum).toBeGreaterThanOrEqual(work.outcomes.ok);
    expect(sum).toBeLessThanOrEqual(work.outcomes.ok + 5);
    expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0, size: pool.idleCount });
    expect(await bench.sessions()).toBe(pool.stats().size);
  });

  test('is stopped in order, idle and lent clients are replaced', async () => {
    const pool = bench.pool({ max: 2 });
    const errors: Error[] = [];
    pool.on('error', (error) => errors.push(error));
    const [idle, lent] = await Promise.all([pool.connect(), pool.connect()]);
    idle.release();
    await bench.server.kill('SIGINT');
    await until(() => pool.idleCount === 0);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: '57P01' });
    await expect(lent.query('select 1')).rejects.toThrow();
    lent.release();
    const waiting = pool.query('select 1 as one');
    await bench.server.restart();
    expect((await waiting).rows).toEqual([{ one: 1 }]);
  });

  test('terminates sessions, an idle one is gone at once, and a lent one fails for its caller alone', async () => {
    const pool = bench.pool({ max: 3 });
    const idle = await pool.connect();
    const lent = await pool.connect();
    idle.release();
    const terminate = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pooled'`;
    const asleep = lent.query('select pg_sleep(100)');
    void bench.ask(terminate);
    await expect(asleep).rejects.toMatchObject({ code: '57P01' });
    await until(() => pool.idleCount === 0);
    lent.release();
    await Promise.all(Array.from({ length: 10 }, () => pool.query('select 1')));
    await until(() => pool.stats().size === pool.idleCount);
    expect(await bench.sessions()).toBe(pool.stats().size);
  });

  test('terminates one session, all go if that is said to mean a failover', async () => {
    const pool = bench.pool({ max: 3, isFailover: (error) => (error as { code?: string }).code === '57P01' });
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    for (const client of clients) client.release();
    await until(() => pool.idleCount === 3);
    const before = new Set(await pids());
    const dying = pool.query('select pg_sleep(100), 1 as doomed');
    const died = expect(dying).rejects.toMatchObject({ code: '57P01' });
    const terminate = `select pg_terminate_backend(pid) from pg_stat_activity where query like '%doomed' and pid <> pg_backend_pid()`;
    // The server may not have begun it yet.
    await until(async () => (await bench.ask(terminate)).length === 1);
    await died;
    await Promise.all([pool.query('select 1'), pool.query('select 1')]);
    expect((await pids()).filter((pid) => before.has(pid))).toEqual([]);
  });

  test('hangs, callers wait no longer than they said, and all is well when it goes on', async () => {
    const pool = bench.pool({
      max: 2,
      acquireTimeout: 300,
      createTimeout: 200,
      validateTimeout: 100,
      validateAfterIdle: 0,
      destroyTimeout: 2_000,
    });
    await pool.query('select 1');
    bench.server.pause();
    const started = Array.from({ length: 6 }, () => pool.query('select 1'));
    const outcomes = await Promise.allSettled(started);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' } });
    }
    bench.server.resume();
    await until(async () => (await pool.query('select 1 as one').catch(() => undefined))?.rowCount === 1);
    await until(async () => (await bench.sessions()) === pool.stats().size);
  });

  test('hangs, close() ends nevertheless', async () => {
    const pool = bench.pool({ max: 2 });
    await pool.query('select 1');
    const stuck = await pool.connect();
    bench.server.pause();
    const answer = stuck.query('select 1');
    const failing = expect(answer).rejects.toThrow();
    await pool.close({ timeout: 50 });
    await failing;
    bench.server.resume();
  });

  test('has no room for more sessions, the pool waits for room, and says why to whom it waits too long for', async () => {
    const hogs = await Promise.all(
      Array.from({ length: 9 }, async () => {
        const client = new Client({ connectionString: bench.server.url, application_name: 'hog' });
        client.on('error', () => {});
        await client.connect();
        return client;
      }),
    );
    // Those of the superuser would still get in.
    await bench.ask(`do $$ begin create role plain login; exception when duplicate_object then null; end $$`);
    const url = bench.server.url.replace('postgres@', 'plain@');
    const pool = bench.pool({
      max: 4,
      client: () => new Client({ connectionString: url, application_name: 'pooled' }),
    });
    const held = await pool.connect();
    const outcomes = await Promise.allSettled([1, 2].map(() => pool.query('select 1', [], { timeout: 300 })));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', cause: { code: '53300' } } });
    }
    held.release();
    expect((await pool.query('select 1')).rowCount).toBe(1);
    await Promise.all(hogs.map((hog) => hog.end()));
    await Promise.all(Array.from({ length: 4 }, () => pool.query('select pg_sleep(0.05)')));
    expect(await bench.sessions()).toBe(pool.stats().size);
  });

  test('refuses the password, or the database is not there: the caller hears of it', async () => {
    const url = bench.server.url.replace(/postgres$/, 'nowhere');
    const pool = bench.pool({ max: 1, client: () => new Client(url), acquireTimeout: 200 });
    await expect(pool.query('select 1')).rejects.toMatchObject({ cause: { code: '3D000' } });
  });

  test('does not answer at all, an abandoned connecting client is cut off', async () => {
    const pool = bench.pool({ max: 1, createTimeout: 100, acquireTimeout: 300 });
    bench.server.pause();
    await expect(pool.query('select 1')).rejects.toMatchObject({ cause: { operation: 'create' } });
    await pool.close();
    bench.server.resume();
    expect(pool.stats().size).toBe(0);
  });
});

describe('a connection is lost', () => {
  const error = (message: string, facts: object = {}) => Object.assign(new Error(message), facts);
  test.each([
    ['shutdown', error('terminating connection', { code: '57P01', severity: 'FATAL' })],
    ['shutdown, in another language', error('…', { code: '57P01', severity: 'FATAL ' })],
    ['a transaction was idle for too long', error('…', { code: '25P03', severity: 'FATAL' })],
    ['the protocol was broken', error('…', { code: '08P01', severity: 'FATAL' })],
    ['reset by the peer', error('read ECONNRESET', { code: 'ECONNRESET' })],
    ['no answer in query_timeout', error('Query read timeout')],
    ['the socket closed', error('Connection terminated unexpectedly')],
  ])('%s', (_, each) => expect(isPgConnectionLost(each)).toBe(true));
  test.each([
    ['a bad statement', error('…', { code: '42703', severity: 'ERROR' })],
    ['a foreign server is away', error('…', { code: '08001', severity: 'ERROR' })],
    ['the statement was cancelled', error('…', { code: '57014', severity: 'ERROR' })],
    ['no error', 'Connection terminated'],
  ])('not: %s', (_, each) => expect(isPgConnectionLost(each)).toBe(false));
});

test('a process that has closed its pool, or let it exit on idle, ends by itself', async () => {
  const run = (body: string) =>
    new Promise<number>((resolve) => {
      const code = `import { pgPool } from '@perf/conn-pool/pg'; import { Client } from 'pg';
        const client = () => new Client(${JSON.stringify(bench.server.url)}); ${body}`;
      const child = execFile(process.execPath, ['--input-type=module', '-e', code], {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        timeout: 20_000,
      });
      child.once('exit', (status, signal) => resolve(signal === null ? (status ?? -1) : -1));
    });
  const outcomes = await Promise.all([
    run(`const pool = pgPool({ client, max: 2 }); await pool.query('select 1'); await pool.end();`),
    run(
      `const pool = pgPool({ client, max: 2, allowExitOnIdle: true }); await pool.query('select 1'); await pool.query('select 1');`,
    ),
  ]);
  expect(outcomes).toEqual([0, 0]);
});
