import type { PgClient } from './pg-client.ts';
import { type PgClientOptions, type PgPoolOptions, resolvePgOptions } from './pg-options.ts';
import { PgPool } from './pg-pool.ts';

export type { PgAnswer, PgClient, PgConnection } from './pg-client.ts';
export { PgClientUnfitError, PgTransactionAbortedError, isPgConnectionLost } from './pg-errors.ts';
export type { PgPoolClient } from './pg-lent-client.ts';
export type { PgClientOptions, PgPoolOptions } from './pg-options.ts';
export type { PgPool, PgQuery, PgResult } from './pg-pool.ts';
export type { PgReset } from './pg-session.ts';
export type { PgTransactionOptions } from './pg-transaction.ts';

/**
 * A pool of connections to PostgreSQL over clients of `pg` 8, with the face of `pg.Pool`:
 *
 * `pgPool({ client: () => new Client(config), max: 10 })`, or, as for `pg.Pool`, `pgPool({ Client, connectionString, max: 10 })`.
 *
 * A connection is dead, and replaced, when its socket closes or the server ends it, also while nobody uses it; a client that is given back
 * is cleared (`reset`), and replaced if that fails. Statements are never repeated: whether they may be, only the caller knows.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function pgPool<C extends PgClient>(options: PgPoolOptions<C> & PgClientOptions): PgPool<C> {
  return new PgPool(resolvePgOptions(options));
}
