import { startPostgres } from '@perf/testkit';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { pgPool } from '../src/pg.ts';
import { until } from './pg-server.ts';
import { selfSigned } from './self-signed.ts';

test('over TLS, an aborted statement is ended on the server too, and nothing else is known of the way', async () => {
  const { cert, key } = selfSigned();
  const settings = { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' };
  const server = await startPostgres(settings, { 'server.crt': cert, 'server.key': key });
  try {
    await using pool = pgPool({ Client, connectionString: server.url, ssl: { ca: cert }, max: 1 });
    const watcher = new Client(server.url);
    await watcher.connect();
    const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
    expect((await pool.query(encrypted)).rows).toEqual([{ ssl: true }]);
    const controller = new AbortController();
    const sleeping = pool.query('select pg_sleep(100)', [], { signal: controller.signal });
    const asleep = async () =>
      (await watcher.query(`select 1 from pg_stat_activity where wait_event = 'PgSleep'`)).rowCount;
    await until(async () => (await asleep()) === 1);
    controller.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
    await until(async () => (await asleep()) === 0);
    expect((await pool.query(encrypted)).rows).toEqual([{ ssl: true }]);
    await watcher.end();
    await using stranger = pgPool({ Client, connectionString: server.url, ssl: true, max: 1, acquireTimeout: 200 });
    await expect(stranger.query('select 1')).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
  } finally {
    await server.stop();
  }
});
