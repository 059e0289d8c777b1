import { PerfError } from '@perf/core';
import { SOCKET_CODES } from './socket-codes.ts';

/** The keys a transaction watched changed each time it was tried. Nothing was done. */
export class RedisTransactionConflictError extends PerfError {
  /** How often it was tried. */
  readonly attempts: number;

  constructor(attempts: number) {
    super(
      'PERF_CONN_POOL_REDIS_TRANSACTION_CONFLICT',
      `the watched keys were changed by others during each of ${attempts} attempts`,
    );
    this.attempts = attempts;
  }

  override get name(): string {
    return 'RedisTransactionConflictError';
  }
}

/** A client was given back in a state nobody should inherit, and is replaced; given to `onError`. */
export class RedisClientUnfitError extends PerfError {
  constructor(why: string) {
    super('PERF_CONN_POOL_REDIS_CLIENT_UNFIT', `the client is not used again: ${why}`);
  }

  override get name(): string {
    return 'RedisClientUnfitError';
  }
}

/** What ioredis says without a code. */
const CLIENT_MESSAGES =
  /^(Connection is closed|Stream isn't writeable|Command aborted due to connection close|Socket timeout)/;
/** The server is a replica now, or knows the client no more. */
const SERVER_MESSAGES = /^(READONLY|UNBLOCKED|MASTERDOWN|NOAUTH|WRONGPASS|LOADING)\b/;
/** The server stopped being the master: so it did for all of its connections. */
const FAILOVER_MESSAGES = /^(READONLY|UNBLOCKED)\b/;

/**
 * Whether `error`, thrown by a client of ioredis, means that its connection is of no more use: it closed, or its server became a replica
 * (READONLY, UNBLOCKED), lost its master, starts anew (LOADING) or no longer knows the client (NOAUTH). Not an error of a command.
 */
export function isRedisConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { message, name } = error;
  if (SOCKET_CODES.includes((error as { code?: unknown }).code) || name === 'MaxRetriesPerRequestError') return true;
  return CLIENT_MESSAGES.test(message) || SERVER_MESSAGES.test(message);
}

/** Whether `error` means that the server is no longer the master, so that all connections to it are of no more use. */
export function isRedisFailover(error: unknown): boolean {
  return error instanceof Error && FAILOVER_MESSAGES.test(error.message);
}
