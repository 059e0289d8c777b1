import { LeaseEndedError } from './errors.ts';
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

/** For how long a client belongs to a caller. */
export interface Tenure {
  readonly ended: boolean;
}

/** What must not be done with a client that belongs to somebody else now. */
const GUARDED: readonly PropertyKey[] = ['query', 'end', 'connect'];

/**
 * What a caller gets instead of the client itself, which all that borrow it share: the release of one that was given back long ago must
 * not take it from its owner.
 */
class LentClient<C extends PgClient> implements ProxyHandler<C> {
  readonly #tenure: Tenure;
  /** The caller may put a function of its own here and in place of `query`, as code does that logs: they go with the lease. */
  #release: unknown;
  /** Kept: it is what is asked for most. */
  #query: unknown;

  constructor(tenure: Tenure, release: (error?: Error | boolean) => void) {
    this.#tenure = tenure;
    this.#release = release;
  }

  get(client: C, key: PropertyKey): unknown {
    if (key === 'release') return this.#release;
    if (key === Symbol.dispose) return () => this.#dispose();
    if (this.#tenure.ended && GUARDED.includes(key)) throw new LeaseEndedError();
    if (key === 'query') return (this.#query ??= this.#guarded(client));
    const value: unknown = Reflect.get(client, key, client);
    return typeof value === 'function' ? value.bind(client) : value;
  }

  set(client: C, key: PropertyKey, value: unknown): boolean {
    if (key === 'query') this.#query = value;
    else if (key === 'release') this.#release = value;
    else return Reflect.set(client, key, value, client);
    return true;
  }

  has(client: C, key: PropertyKey): boolean {
    return key === 'release' || key === Symbol.dispose || key in client;
  }

  #dispose(): void {
    if (!this.#tenure.ended) (this.#release as () => void)();
  }

  /** What was taken out of the client before the lease has ended ends with it too. */
  #guarded(client: C): (...statement: unknown[]) => unknown {
    const tenure = this.#tenure;
    return (...statement) => {
      if (tenure.ended) throw new LeaseEndedError();
      return (client.query as (...all: unknown[]) => unknown)(...statement);
    };
  }
}

/** `client` as code written for `pg.Pool` knows it, until `tenure` has ended. */
export function lentClient<C extends PgClient>(
  client: C,
  tenure: Tenure,
  release: (error?: Error | boolean) => void,
): PgPoolClient<C> {
  return new Proxy(client, new LentClient(tenure, release)) as PgPoolClient<C>;
}
