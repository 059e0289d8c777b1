import { checkBoolean, checkOneOf, checkOptions } from '@perf/core';
import type { AcquireOptions } from './options.ts';
import type { PgAnswer, PgClient } from './pg-client.ts';
import { PgTransactionAbortedError } from './pg-errors.ts';

/** Options of `transaction()`. */
export interface PgTransactionOptions extends AcquireOptions {
  /** @default what the server or the session has as `default_transaction_isolation` */
  readonly isolation?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | undefined;
  /** Whether it may only read. @default what the server or the session has as `default_transaction_read_only` */
  readonly readOnly?: boolean | undefined;
}

const LEVELS = ['read uncommitted', 'read committed', 'repeatable read', 'serializable'] as const;

/** The statement that begins it. @throws TypeError naming option and value */
export function beginStatement(options: PgTransactionOptions): string {
  checkOptions('transaction()', options, ['isolation', 'readOnly', 'signal', 'timeout', 'priority']);
  const { isolation, readOnly } = options;
  const words = ['BEGIN'];
  if (isolation !== undefined) words.push('ISOLATION LEVEL', checkOneOf('isolation', isolation, LEVELS).toUpperCase());
  if (readOnly !== undefined) words.push(checkBoolean('readOnly', readOnly) ? 'READ ONLY' : 'READ WRITE');
  return words.join(' ');
}

/**
 * Runs `fn` between `begin` and COMMIT, or ROLLBACK when it throws. What `fn` threw wins over what ROLLBACK says, which becomes its cause
 * if it has none. COMMIT of a transaction in which a statement failed does nothing, and is reported.
 */
export async function inTransaction<R>(client: PgClient, begin: string, fn: () => R | PromiseLike<R>): Promise<R> {
  await client.query(begin);
  let result: R;
  try {
    result = await fn();
  } catch (error) {
    await rollBack(client, error);
    throw error;
  }
  const { command } = (await client.query('COMMIT')) as PgAnswer;
  if (command === 'ROLLBACK') throw new PgTransactionAbortedError();
  return result;
}

async function rollBack(client: PgClient, reason: unknown): Promise<void> {
  try {
    await client.query('ROLLBACK');
  } catch (error) {
    // The client is seen to be broken, or still in its transaction, when it is given back.
    if (reason instanceof Error && reason.cause === undefined && Object.isExtensible(reason)) reason.cause = error;
  }
}
