import { type PostgresServer, startPostgres } from '@perf/testkit';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import { type PgClientOptions, type PgPool, type PgPoolOptions, pgPool } from '../src/pg.ts';

/** A server for the tests of one file, and the pools that a test has made of it. */
export interface PgBench {
  readonly server: PostgresServer;
  pool(options?: PgPoolOptions<Client> & PgClientOptions): PgPool<Client>;
  /** Asks on a connection that is not of any pool. */
  ask<R>(text: string): Promise<R[]>;
  /** How many sessions of the pools the server has. */
  sessions(): Promise<number>;
}

/** Starts a server before the tests of a file; closes the pools after each, and looks whether they left a session behind. */
export function pgBench(settings?: Readonly<Record<string, string>>): PgBench {
  let server: PostgresServer | undefined;
  let pools: PgPool<Client>[] = [];
  beforeAll(async () => {
    server = await startPostgres(settings);
  });
  afterEach(async () => {
    server?.resume();
    await Promise.all(pools.map((each) => each.close({ force: true })));
    pools = [];
    await vi.waitFor(async () => expect(await bench.sessions()).toBe(0), { timeout: 10_000, interval: 20 });
  });
  afterAll(() => server?.stop());
  const bench: PgBench = {
    get server() {
      return server as PostgresServer;
    },
    pool: (options = {}) => {
      const made = pgPool({
        client: () => new Client({ connectionString: bench.server.url, application_name: 'pooled' }),
        ...options,
      });
      pools.push(made);
      return made;
    },
    ask: async <R>(text: string) => {
      const client = new Client(bench.server.url);
      client.on('error', () => {});
      await client.connect();
      const { rows } = await client.query(text);
      await client.end();
      return rows as R[];
    },
    sessions: async () => {
      const rows = await bench.ask<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where application_name = 'pooled'`,
      );
      return rows[0]?.count ?? 0;
    },
  };
  return bench;
}

/** Waits until `check` holds. */
export function until(check: () => boolean | Promise<boolean>): Promise<void> {
  return vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 20_000, interval: 10 });
}
