import type { Emitter } from './kept-listeners.ts';

/** What a statement gave, as far as the pool looks at it. */
export interface PgAnswer {
  /** The command tag: `'SELECT'`, `'COMMIT'`, `'ROLLBACK'` … */
  readonly command: string;
}

/** What the pool uses of the `connection` of a `Client` of `pg`. */
export interface PgConnection {
  readonly stream: { readonly destroyed?: boolean | undefined; destroy(): unknown };
}

/** What the pool uses of a client of node-postgres: `Client` of `pg` 8 has it. */
export interface PgClient {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  query(text: string): Promise<PgAnswer | readonly PgAnswer[]>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  readonly connection: PgConnection;
}

/** What every client of `pg` 8 has, and its types do not tell. */
export interface PgInternals extends Emitter {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly ssl?: boolean | object | undefined;
  readonly sslNegotiation?: string | undefined;
  readonly processID?: number | null | undefined;
  readonly secretKey?: number | null | undefined;
  /** The statement that is being answered. */
  readonly _activeQuery?: unknown;
  /** Those that were not sent yet. */
  readonly _queryQueue?: readonly unknown[] | undefined;
  /** Those that were sent ahead, in pipeline mode. */
  readonly _sentQueryQueue?: readonly unknown[] | undefined;
  /** False when the connection is broken. */
  readonly _queryable?: boolean | undefined;
  /** True after `end()`. */
  readonly _ending?: boolean | undefined;
  /** Whether the server has said that the last statement is over; an error is told before that. */
  readonly readyForQuery?: boolean | undefined;
  readonly connection: PgConnectionEvents;
  /** `'I'` idle, `'T'` in a transaction, `'E'` in a failed one; earlier clients of `pg` 8 do not have it. */
  getTransactionStatus?(): string | null;
  query(query: unknown, values?: unknown, callback?: (error: unknown, result: unknown) => void): unknown;
  ref?(): void;
  unref?(): void;
}

/** The events of the protocol. */
export interface PgConnectionEvents extends PgConnection {
  readonly stream: { readonly destroyed?: boolean; readonly closed?: boolean; destroy(): void; once: StreamEvent };
  on(event: string, listener: (message: { status?: string; text?: string }) => void): unknown;
  off(event: string, listener: (message: { status?: string; text?: string }) => void): unknown;
}

type StreamEvent = (event: 'close', listener: () => void) => unknown;

/** @throws TypeError for what is no client of `pg`, or one over libpq, whose connection is out of sight */
export function checkPgClient(client: unknown): void {
  const methods = ['connect', 'query', 'end'];
  const { connection } = (client ?? {}) as { connection?: { stream?: unknown } | null };
  if (!has(client, methods) || !has(connection, ['on']) || !has(connection?.stream, ['destroy'])) {
    throw new TypeError('`client` must make a `Client` of pg 8 (not of pg-native)');
  }
}

function has(thing: unknown, methods: readonly string[]): boolean {
  const known = (thing ?? {}) as Readonly<Record<string, unknown>>;
  return methods.every((method) => typeof known[method] === 'function');
}

/** What there is of a client besides its published types. */
export function internalsOf(client: PgClient): PgInternals {
  return client as unknown as PgInternals;
}

/** The statements of a client that are not over. */
export function pendingQueries(client: PgInternals): readonly unknown[] {
  const { _activeQuery: active, _queryQueue: queued = [], _sentQueryQueue: sent = [] } = client;
  const waiting = queued.length + sent.length > 0 ? [...sent, ...queued] : NONE;
  return active === undefined || active === null ? waiting : [active, ...waiting];
}

const NONE: readonly unknown[] = [];

/** Closes the connection under the client, without a word to the server. Resolves when it is closed. */
export function cutOff({ connection: { stream } }: PgInternals): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed === true) {
      resolve();
      return;
    }
    stream.once('close', resolve);
    stream.destroy();
  });
}
