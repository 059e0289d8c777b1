import { LeaseEndedError } from './errors.ts';
import type { Lease } from './lease.ts';
import type { PgClient } from './pg-client.ts';

/** A client of the pool's, lent by `connect()`. */
export type PgPoolClient<C> = C &
  Disposable & {
    /**
     * Gives the client back; with `true` or an error, to be destroyed.
     * @throws LeaseEndedError when it was given back before
     */
    release(error?: Error | boolean): void;
  };

/** What must not be done with a client that belongs to somebody else now. */
const GUARDED: readonly PropertyKey[] = ['query', 'end', 'connect'];

/**
 * What a caller gets instead of the client itself, which all that borrow it share: the release of one that was given back long ago must
 * not take it from its owner.
 */
export class LentClient<C extends PgClient> implements ProxyHandler<C> {
  readonly #lease: Lease<C>;
  readonly #release: (error?: Error | boolean) => void;

  constructor(lease: Lease<C>, release: (error?: Error | boolean) => void) {
    this.#lease = lease;
    this.#release = release;
  }

  get(client: C, key: PropertyKey): unknown {
    if (key === 'release') return this.#release;
    if (key === Symbol.dispose) return this.#dispose;
    if (this.#lease.ended && GUARDED.includes(key)) throw new LeaseEndedError();
    const value: unknown = Reflect.get(client, key, client);
    return typeof value === 'function' ? value.bind(client) : value;
  }

  set(client: C, key: PropertyKey, value: unknown): boolean {
    return Reflect.set(client, key, value, client);
  }

  has(client: C, key: PropertyKey): boolean {
    return key === 'release' || key === Symbol.dispose || key in client;
  }

  readonly #dispose = (): void => {
    if (!this.#lease.ended) this.#release();
  };
}

/** `lease` as code written for `pg.Pool` knows it. */
export function lentClient<C extends PgClient>(
  lease: Lease<C>,
  release: (error?: Error | boolean) => void,
): PgPoolClient<C> {
  return new Proxy(lease.connection, new LentClient(lease, release)) as PgPoolClient<C>;
}
