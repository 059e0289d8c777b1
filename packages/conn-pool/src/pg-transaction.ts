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

/** @throws TypeError naming option and value */
export function checkTransactionOptions(options: PgTransactionOptions): void {
  checkOptions('transaction()', options, ['isolation', 'readOnly', 'signal', 'timeout', 'priority']);
  if (options.isolation !== undefined) checkOneOf('isolation', options.isolation, LEVELS);
  if (options.readOnly !== undefined) checkBoolean('readOnly', options.readOnly);
}

function beginStatement({ isolation, readOnly }: PgTransactionOptions): string {
  const words = ['BEGIN'];
  if (isolation !== undefined) words.push('ISOLATION LEVEL', isolation.toUpperCase());
  if (readOnly !== undefined) words.push(readOnly ? 'READ ONLY' : 'READ WRITE');
  return words.join(' ');
}

/**
 * Runs `fn` between BEGIN and COMMIT, or ROLLBACK when it throws. What `fn` threw wins over what ROLLBACK says, which becomes its cause
 * if it has none. COMMIT of a transaction in which a statement failed does nothing, and is reported. Once the signal has aborted, nothing
 * more is begun or committed.
 */
export async function inTransaction<R>(
  client: PgClient,
  options: PgTransactionOptions,
  fn: () => R | PromiseLike<R>,
): Promise<R> {
  const { signal } = options;
  await client.query(beginStatement(options));
  let result: R;
  try {
    signal?.throwIfAborted();
    result = await fn();
    signal?.throwIfAborted();
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
