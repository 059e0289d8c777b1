import { checkBoolean, checkDuration, checkFunction, checkOneOf, checkOptions, checkRange } from '@perf/core';
import { type ConnectionPoolOptions, OPTION_NAMES } from './options.ts';
import type { PgClient } from './pg-client.ts';
import type { PgReset } from './pg-session.ts';

/** Options of {@link pgPool}: those of {@link ConnectionPool} but for the callbacks that the adapter is, and those of `pg.Pool`. */
export interface PgPoolOptions<C extends PgClient> extends Omit<
  ConnectionPoolOptions<C>,
  'create' | 'destroy' | 'validate' | 'reset' | 'max' | 'maxLeasesPerConnection'
> {
  /** Makes a client that is not connected: `() => new Client(config)`. This or `Client`. */
  readonly client?: (() => C) | undefined;
  /** The class `Client` of `pg`: it is given those of the options that {@link PG_CLIENT_OPTIONS} names. This or `client`. */
  readonly Client?: (new (config: never) => C) | undefined;
  /** @default 10 */
  readonly max?: number | undefined;
  /**
   * What is cleared when a client is given back. `'transaction'`: an open transaction is rolled back, and a `LISTEN` is taken back.
   * `'session'`: what `DISCARD ALL` does too, but for prepared statements; a round trip a lease. `'none'`. A client with a statement
   * pending is replaced, and listeners are taken off, whatever this is.
   * @default 'transaction'
   */
  readonly reset?: PgReset | undefined;
  /** Called with each client that is connected, before anybody gets it; if it fails, that counts as a failure to connect. */
  readonly onConnect?: ((client: C) => unknown) | undefined;
  /** Whether the process may exit while connections are open and none is lent. @default false */
  readonly allowExitOnIdle?: boolean | undefined;
  /** `idleTimeout` as `pg.Pool` calls it; `0` for never. */
  readonly idleTimeoutMillis?: number | null | undefined;
  /** `acquireTimeout` as `pg.Pool` calls it; `0` for never. */
  readonly connectionTimeoutMillis?: number | undefined;
  /** `maxLifetime` as `pg.Pool` calls it, in seconds; `0` for never. */
  readonly maxLifetimeSeconds?: number | undefined;
}

/** The options that a `Client` made by the pool is given. */
export interface PgClientOptions {
  readonly connectionString?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly password?: string | (() => string | Promise<string>) | undefined;
  readonly database?: string | undefined;
  readonly ssl?: boolean | object | undefined;
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined;
  readonly enableChannelBinding?: boolean | undefined;
  readonly application_name?: string | undefined;
  readonly fallback_application_name?: string | undefined;
  readonly client_encoding?: string | undefined;
  readonly options?: string | undefined;
  readonly statement_timeout?: false | number | undefined;
  readonly lock_timeout?: number | undefined;
  readonly idle_in_transaction_session_timeout?: number | undefined;
  readonly query_timeout?: number | undefined;
  readonly keepAlive?: boolean | undefined;
  readonly keepAliveInitialDelayMillis?: number | undefined;
  readonly types?: object | undefined;
  readonly binary?: boolean | undefined;
  readonly stream?: (() => unknown) | undefined;
  readonly pipeline?: boolean | undefined;
}

/** The names of {@link PgClientOptions}. Others are set by the function `client`. */
export const PG_CLIENT_OPTIONS: readonly string[] = Object.keys({
  connectionString: 0,
  host: 0,
  port: 0,
  user: 0,
  password: 0,
  database: 0,
  ssl: 0,
  sslnegotiation: 0,
  enableChannelBinding: 0,
  application_name: 0,
  fallback_application_name: 0,
  client_encoding: 0,
  options: 0,
  statement_timeout: 0,
  lock_timeout: 0,
  idle_in_transaction_session_timeout: 0,
  query_timeout: 0,
  keepAlive: 0,
  keepAliveInitialDelayMillis: 0,
  types: 0,
  binary: 0,
  stream: 0,
  pipeline: 0,
} satisfies Record<keyof PgClientOptions, 0>);

const OWN: readonly string[] = [
  'client',
  'Client',
  'reset',
  'onConnect',
  'allowExitOnIdle',
  'idleTimeoutMillis',
  'connectionTimeoutMillis',
  'maxLifetimeSeconds',
];
const OWN_CALLBACKS: readonly string[] = ['create', 'destroy', 'validate', 'reset', 'maxLeasesPerConnection'];
const RESETS = ['transaction', 'session', 'none'] as const;

/** What the pool of clients is made of. */
export interface PgSettings<C extends PgClient> {
  readonly client: () => C;
  readonly reset: PgReset;
  readonly onConnect: ((client: C) => unknown) | undefined;
  readonly allowExitOnIdle: boolean;
  /** Those of {@link ConnectionPool}. */
  readonly pool: Omit<ConnectionPoolOptions<C>, 'create' | 'destroy' | 'validate' | 'reset'>;
}

/** @throws RangeError, TypeError naming the option and its value */
export function resolvePgOptions<C extends PgClient>(options: PgPoolOptions<C> & PgClientOptions): PgSettings<C> {
  const pooled = OPTION_NAMES.filter((name) => !OWN_CALLBACKS.includes(name));
  // Asked before it is known to be an object.
  const forClient = (options as typeof options | null | undefined)?.Client === undefined ? [] : PG_CLIENT_OPTIONS;
  checkOptions('pgPool', options, [...OWN, ...pooled, ...forClient]);
  const { reset = 'transaction', onConnect, allowExitOnIdle = false, max = 10 } = options;
  checkOneOf('reset', reset, RESETS);
  checkBoolean('allowExitOnIdle', allowExitOnIdle);
  if (onConnect !== undefined) checkFunction('onConnect', onConnect);
  if (options.isFatal !== undefined) checkFunction('isFatal', options.isFatal);
  const pool = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && pooled.includes(name)),
  );
  const { idleTimeoutMillis, connectionTimeoutMillis, maxLifetimeSeconds } = options;
  const times = {
    ...duration('idleTimeout', 'idleTimeoutMillis', idleTimeoutMillis),
    ...duration('acquireTimeout', 'connectionTimeoutMillis', connectionTimeoutMillis),
    ...duration('maxLifetime', 'maxLifetimeSeconds', maxLifetimeSeconds),
  };
  return {
    client: factory(options),
    reset,
    onConnect,
    allowExitOnIdle,
    pool: { name: nameOf(options), ...times, ...pool, max },
  };
}

function factory<C extends PgClient>(options: PgPoolOptions<C> & PgClientOptions): () => C {
  const { client, Client } = options;
  if (Client === undefined) return checkFunction('client', client) as () => C;
  if (client !== undefined) throw new TypeError('pgPool takes either `client` or `Client`');
  checkFunction('Client', Client);
  const config = Object.fromEntries(Object.entries(options).filter(([name]) => PG_CLIENT_OPTIONS.includes(name)));
  return () => new Client(config as never);
}

/** In the names of `pg.Pool`, 0 is never, and the unit is in the name. */
function duration(ours: string, theirs: string, value: number | null | undefined): Record<string, number> {
  if (value === undefined || value === null) return {};
  if (value === 0) return { [ours]: Infinity };
  if (!theirs.endsWith('Seconds')) return { [ours]: checkDuration(theirs, value) };
  return { [ours]: checkRange(theirs, value, { min: 0, max: 1e9 }) * 1_000 };
}

/** By the telemetry conventions: `address:port/database`, as far as it is known. */
function nameOf({ connectionString, host, port = 5432, database }: PgClientOptions): string {
  if (connectionString !== undefined && URL.canParse(connectionString)) {
    const url = new URL(connectionString);
    return `${url.hostname}:${url.port === '' ? 5432 : url.port}${url.pathname}`;
  }
  if (host === undefined) return 'pg';
  return database === undefined ? `${host}:${port}` : `${host}:${port}/${database}`;
}
