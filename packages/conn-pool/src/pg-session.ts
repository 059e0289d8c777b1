import { startTimer } from '@perf/core';
import { cancelStatement } from './pg-cancel.ts';
import { KeptListeners } from './kept-listeners.ts';
import { type PgClient, type PgInternals, cutOff, internalsOf, pendingQueries } from './pg-client.ts';
import { PgClientUnfitError } from './pg-errors.ts';
import type { CreateContext } from './options.ts';

/** What of a session does not outlive a lease. */
export type PgReset = 'transaction' | 'session' | 'none';

/** The events callers listen for. */
const EVENTS: readonly string[] = ['notification', 'notice', 'error', 'drain', 'end'];
/** How long the server may take to say goodbye, in milliseconds. */
const GOODBYE = 1_000;
/** What `DISCARD ALL` does, but for prepared statements, which the client would believe in still; and it can go with others in one message. */
const CLEAR_SESSION =
  'CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES';

/** One session on the server: its client, and what the protocol tells about it. */
export class PgSession {
  readonly #client: PgClient;
  readonly #internals: PgInternals;
  /** `'I'` idle, `'T'` in a transaction, `'E'` in a failed one. */
  #status: string | undefined;
  /** Whether there was a `LISTEN` since the last reset. */
  #listens = false;
  #spoilt: string | undefined;
  #leaving = false;
  #listeners: KeptListeners | undefined;

  /** Whether it belongs to a caller, who hears of its errors from the statements. */
  lent = false;
  readonly #onIdleError: (error: Error) => void;

  constructor(client: PgClient, onIdleError: (error: Error) => void) {
    this.#client = client;
    this.#onIdleError = onIdleError;
    this.#internals = internalsOf(client);
  }

  /** Connects. While nobody listens for errors of the client, this does: an idle one's must not end the process. */
  async open({ signal, lost }: CreateContext, onConnect: () => unknown): Promise<void> {
    const { connection } = this.#internals;
    const onReady = ({ status }: { status?: string }): void => {
      this.#status = status;
    };
    connection.on('readyForQuery', onReady);
    connection.on('commandComplete', ({ text }) => {
      if (text === 'LISTEN') this.#listens = true;
    });
    this.#client.on('error', (error) => {
      const idle = !this.lent && !this.#leaving;
      lost(error);
      if (idle) this.#onIdleError(error);
    });
    this.#client.on('end', () => lost(new Error('the connection to PostgreSQL has ended')));
    const onAbort = (): void => void cutOff(this.#internals);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#client.connect();
      await onConnect();
      if (!this.#isReady()) await this.#ready();
      signal.throwIfAborted();
    } catch (error) {
      await cutOff(this.#internals);
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    // A listener is called for each statement; later clients of pg 8 know by themselves.
    if (typeof this.#internals.getTransactionStatus?.() === 'string') connection.off('readyForQuery', onReady);
    this.#listens = false;
    this.#listeners = new KeptListeners(this.#internals, EVENTS);
  }

  /** It is not to be used again, once it is given back. */
  spoil(why: string): void {
    this.#spoilt = why;
  }

  /** Clears what a caller left behind; returns a promise only if there is something to wait for. @throws PgClientUnfitError */
  reset(mode: PgReset): Promise<void> | undefined {
    this.#listeners?.restore();
    this.#checkFit();
    // Callers that do not wait for their last statement have it done all the same; and an error is told before its statement is over.
    if (!this.#isReady()) return this.#ready().then(() => this.#clear(mode));
    return this.#clear(mode);
  }

  /** Whether the server answers. */
  async ping(): Promise<boolean> {
    this.#checkFit();
    await this.#client.query('-- ping');
    return true;
  }

  /** Ends the session. What it is still busy with the server is told to give up, since it would go on alone. */
  async end(): Promise<void> {
    const { _queryable: queryable = true } = this.#internals;
    this.#leaving = true;
    if (queryable && !this.#isReady()) {
      await cancelStatement(this.#internals);
      await cutOff(this.#internals);
      return;
    }
    const timer = startTimer(() => void cutOff(this.#internals), GOODBYE);
    await this.#client.end();
    timer.cancel();
  }

  #clear(mode: PgReset): Promise<void> | undefined {
    if (mode === 'none') return undefined;
    const open = (this.#internals.getTransactionStatus?.() ?? this.#status) !== 'I';
    const statements: string[] = [];
    if (open) statements.push('ROLLBACK');
    if (mode === 'session') statements.push(CLEAR_SESSION);
    else if (this.#listens) statements.push('UNLISTEN *');
    if (statements.length === 0) return undefined;
    return this.#client.query(statements.join('; ')).then(() => {
      this.#listens = false;
    });
  }

  /** @throws PgClientUnfitError */
  #checkFit(): void {
    const { _queryable: queryable = true, _ending: ending = false } = this.#internals;
    if (!queryable) throw new PgClientUnfitError('its connection is broken');
    if (this.#spoilt !== undefined) throw new PgClientUnfitError(this.#spoilt);
    if (ending) throw new PgClientUnfitError('`end()` was called on it');
  }

  #isReady(): boolean {
    return this.#internals.readyForQuery !== false && pendingQueries(this.#internals).length === 0;
  }

  /** Waits until every statement is over. */
  #ready(): Promise<void> {
    const { connection } = this.#internals;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        connection.off('readyForQuery', onReady);
        connection.off('end', onEnd);
      };
      const onReady = (): void => {
        // Its client has heard of this before, and has sent the next one if there is any.
        if (!this.#isReady()) return;
        stop();
        resolve();
      };
      const onEnd = (): void => {
        stop();
        reject(new PgClientUnfitError('its connection ended with a statement pending'));
      };
      connection.on('readyForQuery', onReady);
      connection.on('end', onEnd);
    });
  }
}
