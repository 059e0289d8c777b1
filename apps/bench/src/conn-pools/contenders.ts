import { EventEmitter } from 'node:events';
import { callbackify } from 'node:util';
import { ConnectionPool } from '@perf/conn-pool';
import { createPool } from 'generic-pool';
import { Pool as LightningPool } from 'lightning-pool';
import pg from 'pg';
import { Pool as SequelizePool } from 'sequelize-pool';
import { Pool as Tarn } from 'tarn';

/** What is pooled: it counts its uses, so that nobody can leave them out. */
export interface Resource {
  uses: number;
}

/** The same limits for every pool; none gives idle connections up. */
export interface Limits {
  readonly max: number;
  /** How many connections to have before the first request. */
  readonly min: number;
  /** Milliseconds a request waits at most; absent for ever. */
  readonly acquireTimeout?: number;
  readonly create: () => Promise<Resource>;
}

/** A pool as every one of them can be used; `H` is what it hands out. */
export interface AnyPool<H = unknown> {
  acquire(): Promise<H>;
  /** The resource behind what was handed out. */
  resourceOf(held: H): Resource;
  release(held: H): void;
  close(): unknown;
}

type MakePool = (limits: Limits) => AnyPool;

/** Hides what a pool hands out: whoever uses it gives back what it was given. */
const anyPool = <H>(pool: AnyPool<H>): AnyPool => pool as AnyPool;

const NEVER = 2 ** 31 - 1;

function perf({ max, min, acquireTimeout = Infinity, create }: Limits): AnyPool {
  const pool = new ConnectionPool<Resource>({
    create,
    destroy: () => {},
    max,
    min,
    acquireTimeout,
    idleTimeout: Infinity,
    maxLifetime: Infinity,
  });
  return anyPool({
    acquire: () => pool.acquire(),
    resourceOf: (held) => held.connection,
    release: (held) => held.release(),
    close: () => pool.close(),
  });
}

function generic({ max, min, acquireTimeout, create }: Limits): AnyPool {
  const timeout = acquireTimeout === undefined ? {} : { acquireTimeoutMillis: acquireTimeout };
  const pool = createPool<Resource>({ create, destroy: () => Promise.resolve() }, { max, min, ...timeout });
  return anyPool({
    acquire: async () => pool.acquire(),
    resourceOf: (held) => held,
    // Its promise is of no use to a caller: waiting for it would only cost a turn.
    release: (held) => void pool.release(held),
    close: async () => {
      await pool.drain();
      await pool.clear();
    },
  });
}

function tarn({ max, min, acquireTimeout = NEVER, create }: Limits): AnyPool {
  const pool = new Tarn<Resource>({
    create,
    destroy: () => {},
    min,
    max,
    acquireTimeoutMillis: acquireTimeout,
    idleTimeoutMillis: NEVER,
  });
  return anyPool({
    acquire: () => pool.acquire().promise,
    resourceOf: (held) => held,
    release: (held) => void pool.release(held),
    close: () => pool.destroy(),
  });
}

function lightning({ max, min, acquireTimeout = 0, create }: Limits): AnyPool {
  const pool = new LightningPool<Resource>(
    { create, destroy: () => Promise.resolve() },
    { max, min, acquireTimeoutMillis: acquireTimeout, idleTimeoutMillis: NEVER },
  );
  pool.start();
  return anyPool({
    acquire: () => pool.acquire(),
    resourceOf: (held) => held,
    release: (held) => pool.release(held),
    close: () => pool.close(0),
  });
}

function sequelize({ max, min, acquireTimeout = NEVER, create }: Limits): AnyPool {
  const pool = new SequelizePool<Resource>({
    create,
    destroy: () => {},
    validate: () => true,
    max,
    min,
    acquireTimeoutMillis: acquireTimeout,
    idleTimeoutMillis: NEVER,
  });
  return anyPool({
    acquire: () => pool.acquire(),
    resourceOf: (held) => held,
    release: (held) => pool.release(held),
    close: async () => {
      await pool.drain();
      await pool.destroyAllNow();
    },
  });
}

/** pg-pool pools clients of node-postgres only: this one is all that it needs of one. */
function pgPool({ max, acquireTimeout = 0, create }: Limits): AnyPool {
  class Client extends EventEmitter implements Resource {
    uses = 0;
    readonly _queryable = true;
    readonly _ending = false;
    connect(done: (error?: Error) => void): void {
      callbackify(create)((error) => done(error ?? undefined));
    }
    end(done?: () => void): void {
      done?.();
    }
    ref(): void {}
    unref(): void {}
  }
  // Its types ask for a whole client.
  const options = { Client: Client as never, max, connectionTimeoutMillis: acquireTimeout, idleTimeoutMillis: 0 };
  const pool = new pg.Pool(options as never);
  return anyPool({
    acquire: () => pool.connect(),
    resourceOf: (held) => held as unknown as Resource,
    release: (held) => held.release(),
    close: () => pool.end(),
  });
}

export const OURS = '@perf/conn-pool';

/** All pools by name, ours first. */
export const POOLS: Readonly<Record<string, MakePool>> = {
  [OURS]: perf,
  'lightning-pool': lightning,
  'generic-pool': generic,
  'sequelize-pool': sequelize,
  'pg-pool, with a client that does nothing': pgPool,
  tarn,
};

/** Those that can let a request wait for ever. */
export const PATIENT: readonly string[] = Object.keys(POOLS).filter(
  (name) => name !== 'tarn' && name !== 'sequelize-pool',
);
