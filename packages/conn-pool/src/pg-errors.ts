import { PerfError } from '@perf/core';
import { SOCKET_CODES } from './socket-codes.ts';

/** A transaction could not commit: a statement in it had failed, whose error the function did not let through. It was rolled back. */
export class PgTransactionAbortedError extends PerfError {
  constructor() {
    super(
      'PERF_CONN_POOL_PG_TRANSACTION_ABORTED',
      'the transaction was rolled back instead of committed, because a statement in it had failed',
    );
  }

  override get name(): string {
    return 'PgTransactionAbortedError';
  }
}

/** A client was given back in a state nobody should inherit, and is replaced; given to `onError`. */
export class PgClientUnfitError extends PerfError {
  constructor(why: string) {
    super('PERF_CONN_POOL_PG_CLIENT_UNFIT', `the client is not used again: ${why}`);
  }

  override get name(): string {
    return 'PgClientUnfitError';
  }
}

/** What errors of node-postgres may carry. */
interface PgErrorLike {
  /** An SQLSTATE of the server, or a code of the operating system. */
  readonly code?: unknown;
  /** Only the server's errors have one. In the server's language. */
  readonly severity?: unknown;
}

/** Shutdown, crash, start, dropped database, and the timeouts of idle sessions and of transactions: the server closes the connection. */
const FATAL_STATES: readonly unknown[] = ['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04'];
const LOST_CODES: readonly unknown[] = [...SOCKET_CODES, 'ENOTCONN'];
/** What node-postgres says without a code. After `query_timeout` the statement is still running. */
const CLIENT_MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout)/;

/**
 * Whether `error`, thrown by a client of `pg`, means that its connection is over: the server ends it (57P01, 57P02, 57P03, 25P03 …, class
 * 08), the socket broke, or the client waits no more for an answer (`query_timeout`). Not an error of a statement.
 */
export function isPgConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, severity, message } = error as PgErrorLike & Error;
  if (FATAL_STATES.includes(code) || severity === 'FATAL' || severity === 'PANIC') return true;
  // What a foreign server's connection is about, the server reports as an error of the statement.
  if (typeof severity === 'string') return severity !== 'ERROR' && typeof code === 'string' && code.startsWith('08');
  return LOST_CODES.includes(code) || CLIENT_MESSAGES.test(message);
}
