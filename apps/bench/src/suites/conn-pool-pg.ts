import { pgPool } from '@perf/conn-pool/pg';
import { startPostgres } from '@perf/testkit';
import { Client, Pool } from 'pg';
import type { Comparison, Contender } from '../comparison.ts';
import { InstantPgClient } from './instant-pg-client.ts';

const MAX = 10;
const ACCOUNTS = 1_000;

/** What both pools have: that of `pg.Pool`. */
interface PgPoolLike {
  connect(): Promise<{
    query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
    release(error?: boolean): void;
  }>;
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  end(): Promise<unknown>;
}

/** One piece of work with the pool; gives how many rows it has seen. */
type Work = (pool: PgPoolLike, id: number) => Promise<number>;

const select: Work = async (pool, id) => {
  const { rows } = await pool.query('select balance from accounts where id = $1', [id]);
  return rows.length;
};

/** As pgbench's simplest transactions: read, change, write down, in one transaction on one connection. */
const transfer: Work = async (pool, id) => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('update accounts set balance = balance + 1 where id = $1', [id]);
    const { rows } = await client.query('select balance from accounts where id = $1', [id]);
    await client.query('insert into history (account) values ($1)', [id]);
    await client.query('commit');
    client.release();
    return rows.length;
  } catch (error) {
    client.release(true);
    throw error;
  }
};

interface Named {
  readonly name: string;
  readonly ours: boolean;
  readonly pool: PgPoolLike;
}

/** `workers` loops, each with accounts of its own, so that none waits for another's lock. */
function contend(pools: readonly Named[], work: Work, workers: number): Contender[] {
  return pools.map(({ name, ours, pool }) => ({
    name,
    ours,
    run: async (iterations) => {
      const share = Math.ceil(iterations / workers);
      const loop = async (worker: number): Promise<number> => {
        let rows = 0;
        for (let i = 0; i < share; i++) rows += await work(pool, (worker + i * workers) % ACCOUNTS);
        return rows;
      };
      const counts = await Promise.all(Array.from({ length: workers }, (_, worker) => loop(worker)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close: () => pool.end(),
  }));
}

async function onPostgres(work: Work, workers: number): Promise<Contender[]> {
  const server = await startPostgres({ shared_buffers: '64MB' });
  const setup = new Client(server.url);
  await setup.connect();
  await setup.query('create table accounts (id int primary key, balance int not null)');
  await setup.query('create table history (account int not null)');
  await setup.query('insert into accounts select i, 0 from generate_series(0, $1::int - 1) i', [ACCOUNTS]);
  await setup.end();
  const connectionString = server.url;
  const pools: Named[] = [
    { name: '@perf/conn-pool/pg', ours: true, pool: pgPool({ Client, connectionString, max: MAX }) },
    { name: 'pg.Pool', ours: false, pool: new Pool({ connectionString, max: MAX }) },
  ];
  let open = pools.length;
  return contend(pools, work, workers).map((contender) => ({
    ...contender,
    close: async () => {
      await contender.close?.();
      if (--open === 0) await server.stop();
    },
  }));
}

/** What the pools themselves cost. */
function onNothing(workers: number): Contender[] {
  const client = InstantPgClient as unknown as typeof Client;
  const pools: Named[] = [
    { name: '@perf/conn-pool/pg', ours: true, pool: pgPool({ client: () => new client(), max: MAX }) },
    { name: 'pg.Pool', ours: false, pool: new Pool({ Client: client, max: MAX }) },
  ];
  return contend(pools, select, workers);
}

/** The iterations are fixed: what is measured first would still be interpreted in the 50 ms that calibration aims at. */
const WORK = [
  { title: 'one select by key', unit: 'statement', iterations: 4_000, work: select },
  { title: 'one transaction of update, select and insert', unit: 'transaction', iterations: 1_000, work: transfer },
] as const;

const WORKERS = [1, 10, 100];

export const connPoolPg: readonly Comparison[] = [
  ...WORKERS.map((workers) => ({
    package: 'conn-pool',
    title: `query() over a client that answers at once, ${MAX} connections, ${workers} at a time`,
    unit: 'statement',
    contenders: () => onNothing(workers),
  })),
  ...WORK.flatMap(({ title, unit, iterations, work }) =>
    WORKERS.map((workers) => ({
      package: 'conn-pool',
      title: `PostgreSQL, ${MAX} connections: ${title}, ${workers} at a time`,
      unit,
      iterations,
      contenders: () => onPostgres(work, workers),
    })),
  ),
];
