import { EventEmitter } from 'node:events';
import { type Closeable, type StatsSource, checkFunction, checkOptions } from '@perf/core';
import type { ConnectionPool } from './connection-pool.ts';
import type { Lease } from './lease.ts';
import type { AcquireOptions, CloseOptions, WarmUpOptions } from './options.ts';
import { type PgClient, internalsOf } from './pg-client.ts';
import { PgClients } from './pg-clients.ts';
import { type PgPoolClient, lentClient } from './pg-lent-client.ts';
import type { PgSettings } from './pg-options.ts';
import { isSubmittable, submitted } from './pg-submittable.ts';
import { type PgTransactionOptions, checkTransactionOptions, inTransaction } from './pg-transaction.ts';
import type { ConnectionPoolStats } from './stats.ts';

/** What a statement gives, as node-postgres has it. */
export interface PgResult<R> {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: R[];
}

/** The client's own `query`, and a form that takes a signal. */
export type PgQuery<C extends PgClient> = C['query'] &
  (<R = Record<string, unknown>>(
    statement: string | object,
    values: readonly unknown[] | undefined,
    options: AcquireOptions,
  ) => Promise<PgResult<R>>);

/** What code written for `pg.Pool` may look up in `pool.options`; 0 is never. */
export interface PgPoolFacts {
  readonly min: number;
  max: number;
  maxUses: number;
  allowExitOnIdle: boolean;
  maxLifetimeSeconds: number;
  idleTimeoutMillis: number | null;
}

type Callback = (error: Error | undefined | null, result?: unknown) => void;
type ConnectCallback<C> = (
  error: Error | undefined,
  client: PgPoolClient<C> | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** The events of `pg.Pool`. */
type PgPoolEvent = 'connect' | 'acquire' | 'remove' | 'release' | 'error';

const NO_OPTIONS: AcquireOptions = {};
const ACQUIRE_OPTIONS: readonly string[] = ['signal', 'timeout', 'priority'];

/**
 * A pool of connections to PostgreSQL with the face of `pg.Pool`. Made by {@link pgPool}.
 *
 * `query()` runs one statement on any connection, `transaction()` several on one, `connect()` lends a client. What fails is not repeated.
 */
export class PgPool<C extends PgClient> extends EventEmitter implements Closeable, StatsSource<ConnectionPoolStats> {
  readonly #clients: PgClients<C>;
  readonly #facts: Omit<PgPoolFacts, 'min' | 'max'>;
  #ended = false;

  /** @internal */
  constructor(settings: PgSettings<C>) {
    super();
    const { idleTimeout = 60_000, maxLifetime = 1_800_000, maxUses = Infinity } = settings.pool;
    this.#facts = {
      maxUses,
      allowExitOnIdle: settings.allowExitOnIdle,
      maxLifetimeSeconds: maxLifetime === Infinity ? 0 : maxLifetime / 1_000,
      idleTimeoutMillis: idleTimeout === Infinity ? 0 : idleTimeout,
    };
    this.#clients = new PgClients<C>(settings, (event, fact, client) => {
      if (this.listenerCount(event) === 0) return;
      try {
        this.emit(event, fact, client);
      } catch {
        // A listener never hurts the pool.
      }
    });
  }

  /** What it runs on: `resize()`, `evictIdle()` and all else that a {@link ConnectionPool} can do. */
  get connections(): ConnectionPool<C> {
    return this.#clients.pool;
  }

  /**
   * `'connect'`, `'acquire'` and `'remove'` give a client; `'release'` an error or `undefined` and a client; `'error'` the error by which an
   * idle client died, and the client: unlike other emitters', it ends nothing if nobody listens.
   */
  override on<K extends PgPoolEvent>(
    event: K,
    listener: K extends 'error' | 'release'
      ? (error: Error, client: PgPoolClient<C>) => void
      : (client: PgPoolClient<C>) => void,
  ): this {
    return super.on(event, listener);
  }

  /**
   * Runs one statement on a connection that is free: `(text | config, values?, options? | callback?)`, as the client's own `query()`.
   * `options.signal` ends the wait for a connection and the statement, which the server is asked to give up: the connection is replaced.
   * `options.timeout` and `priority` are about the wait for a connection.
   */
  readonly query: PgQuery<C> = ((config: unknown, second?: unknown, third?: unknown) => {
    const callback = callbackOf(config, second, third);
    const options = third !== null && typeof third === 'object' ? (third as AcquireOptions) : NO_OPTIONS;
    const values = typeof second === 'function' ? undefined : second;
    const answer = this.#query(config, values, options);
    if (callback === undefined) return answer;
    // A callback that throws is the program's error, not a rejection of ours.
    answer.then(
      (result) => process.nextTick(callback, undefined, result),
      (error: unknown) => process.nextTick(callback, error),
    );
    return undefined;
  }) as PgQuery<C>;

  /**
   * Borrows a client, to be given back with `client.release()`; or with `using client = await pool.connect()`. `release(true)` or an error
   * has it replaced. It ends once: what a caller does after that with its client is a LeaseEndedError, and does not touch the next owner.
   */
  connect(options?: AcquireOptions): Promise<PgPoolClient<C>>;
  connect(callback: ConnectCallback<C>): void;
  connect(how?: AcquireOptions | ConnectCallback<C>): Promise<PgPoolClient<C>> | undefined {
    if (typeof how !== 'function') return this.#clients.lend(how);
    this.#clients.lend().then(
      (client) => process.nextTick(how, undefined, client, (error?: Error | boolean) => client.release(error)),
      (error: unknown) => process.nextTick(how, error, undefined, () => {}),
    );
    return undefined;
  }

  /**
   * Runs `fn` in a transaction: COMMIT when it returns, ROLLBACK when it throws. `signal` ends it at once, with its reason: the connection is
   * replaced, by which the server rolls back. Rejects with what `fn` threw, with what BEGIN or COMMIT did, or with a
   * PgTransactionAbortedError when a statement in it had failed although `fn` returned. After an abort, or the loss of the
   * connection, during COMMIT, only the database knows whether it was done.
   */
  async transaction<R>(fn: (client: C) => R | PromiseLike<R>, options: PgTransactionOptions = {}): Promise<R> {
    checkFunction('fn', fn);
    checkTransactionOptions(options);
    const { isolation: _, readOnly: __, ...acquire } = options;
    const tenure = { ended: false };
    try {
      return await this.#clients.hold(acquire, (client) => {
        const lent = lentClient(client, tenure, () => {
          throw new TypeError('the client of a transaction is given back when the transaction ends');
        });
        return inTransaction(client, options, () => fn(lent));
      });
    } finally {
      // After an abort `fn` may still run.
      tenure.ended = true;
    }
  }

  /** Borrows a client as a lease, as {@link ConnectionPool.acquire}. */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    return this.#clients.acquire(options);
  }

  /** Waits until `min` connections are open, as {@link ConnectionPool.warmUp}. */
  warmUp(options?: WarmUpOptions): Promise<void> {
    return this.connections.warmUp(options);
  }

  stats(): Readonly<ConnectionPoolStats> {
    return this.connections.stats();
  }

  /** What is set, in the names of `pg.Pool`. */
  get options(): PgPoolFacts {
    const { min, max } = this.stats();
    return { min, max, ...this.#facts };
  }

  /** How many connections there are, those being opened included, those being closed not, as in `pg.Pool`; `stats().size` has both. */
  get totalCount(): number {
    const { size, destroying } = this.stats();
    return size - destroying;
  }

  get idleCount(): number {
    return this.stats().idle;
  }

  get waitingCount(): number {
    return this.stats().waiting;
  }

  /** Always 0: what is too old and idle is gone. */
  get expiredCount(): number {
    return 0;
  }

  get closed(): boolean {
    return this.connections.closed;
  }

  /** `closed`, as `pg.Pool` calls it. */
  get ending(): boolean {
    return this.closed;
  }

  /** Whether it is closed and every connection is. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Closes the pool as {@link ConnectionPool.close}: who waits is served, lent clients are waited for, but not for ever. */
  async close(options?: CloseOptions): Promise<void> {
    await this.connections.close(options);
    this.#ended = true;
  }

  /** `close()`, as `pg.Pool` calls it. Calling it again is no error. */
  end(): Promise<void>;
  end(callback: () => void): void;
  end(callback?: () => void): Promise<void> | undefined {
    if (callback !== undefined) checkFunction('callback', callback);
    const closing = this.close();
    if (callback === undefined) return closing;
    void closing.then(() => process.nextTick(callback));
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #query(config: unknown, values: unknown, options: AcquireOptions): Promise<unknown> {
    if (typeof config === 'function') {
      return Promise.reject(new TypeError('query() takes a statement first, got a function'));
    }
    if (options === NO_OPTIONS && !isSubmittable(config)) return this.#clients.query(config, values);
    return this.#hold(config, values, options);
  }

  async #hold(config: unknown, values: unknown, options: AcquireOptions): Promise<unknown> {
    checkOptions('query()', options, ACQUIRE_OPTIONS);
    return this.#clients.hold(options, (connection) => {
      const client = internalsOf(connection);
      return isSubmittable(config) ? submitted(client, config) : (client.query(config, values) as Promise<unknown>);
    });
  }
}

/** The callback may take the place of any argument. */
function callbackOf(config: unknown, second: unknown, third: unknown): Callback | undefined {
  if (typeof third === 'function') return third as Callback;
  if (typeof second === 'function') return second as Callback;
  return typeof config === 'function' ? (config as Callback) : undefined;
}
