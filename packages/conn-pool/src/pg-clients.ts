import { abortable } from '@perf/core';
import { ConnectionPool } from './connection-pool.ts';
import { DuplicateConnectionError } from './errors.ts';
import type { Lease } from './lease.ts';
import type { AcquireOptions, CreateContext } from './options.ts';
import { type PgClient, checkPgClient, internalsOf } from './pg-client.ts';
import { isPgConnectionLost } from './pg-errors.ts';
import { type PgPoolClient, lentClient } from './pg-lent-client.ts';
import type { PgSettings } from './pg-options.ts';
import { PgSession } from './pg-session.ts';

/** Tells of an event of `pg.Pool`: that of a client, or of an error (or none) and a client. */
export type Tell = (
  event: 'connect' | 'acquire' | 'remove' | 'release' | 'error',
  fact: unknown,
  client?: unknown,
) => void;

/** The clients of a pool: how they are opened, lent, taken back and ended. */
export class PgClients<C extends PgClient> {
  readonly pool: ConnectionPool<C>;
  readonly #settings: PgSettings<C>;
  readonly #tell: Tell;
  readonly #sessions = new WeakMap<C, PgSession>();

  constructor(settings: PgSettings<C>, tell: Tell) {
    this.#settings = settings;
    this.#tell = tell;
    const { pool, reset } = settings;
    this.pool = new ConnectionPool<C>({
      ...pool,
      isFatal: (error) => this.#isFatal(error),
      create: (ctx) => this.#open(ctx),
      destroy: (client) => this.#end(client),
      validate: (client) => this.#session(client).ping(),
      reset: (client) => {
        const session = this.#session(client);
        session.lent = false;
        const cleared = session.reset(reset);
        if (settings.allowExitOnIdle) internalsOf(client).unref?.();
        return cleared;
      },
    });
  }

  async acquire(options?: AcquireOptions): Promise<Lease<C>> {
    const lease = await this.pool.acquire(options);
    this.#take(lease.connection);
    return lease;
  }

  /** A client that its caller gives back. */
  async lend(options?: AcquireOptions): Promise<PgPoolClient<C>> {
    const lease = (options === undefined ? this.pool.tryAcquire() : undefined) ?? (await this.pool.acquire(options));
    const client = lease.connection;
    this.#take(client);
    this.#tell('acquire', client);
    return lentClient(client, lease, (error) => {
      const given = error === true ? undefined : error;
      if (error === undefined || error === false) lease.release();
      else lease.discard(given);
      this.#tell('release', given, client);
    });
  }

  /** Runs one statement, with a callback: what is asked most goes the shortest way. */
  async query(config: unknown, values: unknown): Promise<unknown> {
    const lease = this.pool.tryAcquire() ?? (await this.pool.acquire());
    const client = lease.connection;
    this.#take(client);
    this.#tell('acquire', client);
    try {
      return await new Promise((resolve, reject) => {
        internalsOf(client).query(config, values, (error, result) => {
          if (error !== null && error !== undefined) {
            reject(error as Error);
            return;
          }
          // A statement whose values could not be written is called back twice.
          if (lease.ended) return;
          lease.release();
          this.#tell('release', undefined, client);
          resolve(result);
        });
      });
    } catch (error) {
      if (this.#isFatal(error)) lease.discard(error);
      else lease.release();
      this.#tell('release', error, client);
      // Otherwise it would lead to the parser of the protocol, and not to who asked.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    }
  }

  /** Runs `work` on a client until it settles, or the signal aborts: what the client is busy with then, it does not end well. */
  hold<R>(options: AcquireOptions | undefined, work: (client: C) => R | PromiseLike<R>): Promise<R> {
    return this.pool.use(async (client) => {
      const signal = options?.signal;
      signal?.throwIfAborted();
      this.#take(client);
      this.#tell('acquire', client);
      let failure: unknown;
      try {
        if (signal === undefined) return await work(client);
        return await abortable(settled(work, client), signal);
      } catch (error) {
        failure = error;
        if (signal?.aborted === true && error === signal.reason) this.#session(client).spoil('its work was aborted');
        throw error;
      } finally {
        this.#tell('release', failure, client);
      }
    }, options);
  }

  #take(client: C): void {
    this.#session(client).lent = true;
    if (this.#settings.allowExitOnIdle) internalsOf(client).ref?.();
  }

  /** What throws does not know the error, which then is taken for the worst. */
  #isFatal(error: unknown): boolean {
    try {
      return isPgConnectionLost(error) || this.#settings.pool.isFatal?.(error) === true;
    } catch {
      return true;
    }
  }

  async #open(ctx: CreateContext): Promise<C> {
    const client = this.#settings.client();
    checkPgClient(client);
    // Its owner would lose it: what fails to connect is cut off.
    if (this.#sessions.has(client)) throw new DuplicateConnectionError();
    const session = new PgSession(client, (error) => this.#tell('error', error, client));
    this.#sessions.set(client, session);
    await session.open(ctx, async () => {
      await this.#settings.onConnect?.(client);
      this.#tell('connect', client);
    });
    if (this.#settings.allowExitOnIdle) internalsOf(client).unref?.();
    return client;
  }

  async #end(client: C): Promise<void> {
    await this.#session(client).end();
    this.#tell('remove', client);
  }

  #session(client: C): PgSession {
    return this.#sessions.get(client) as PgSession;
  }
}

/** An async function, so that a throw is a rejection. */
async function settled<A, R>(work: (argument: A) => R | PromiseLike<R>, argument: A): Promise<R> {
  return work(argument);
}
