import { type PgInternals, pendingQueries } from './pg-client.ts';

/** A statement that sends itself: a `Query` of `pg`, a `pg-cursor`, a `pg-query-stream`. */
export interface Submittable {
  submit(connection: unknown): unknown;
}

export function isSubmittable(config: unknown): config is Submittable {
  return typeof (config as Partial<Submittable> | null | undefined)?.submit === 'function';
}

/**
 * Runs `statement`. Resolves with what it calls its callback with, or with itself when the server has ended it: a cursor that was closed,
 * a stream that was read.
 */
export function submitted(client: PgInternals, statement: Submittable): Promise<unknown> {
  const { connection } = client;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      connection.off('readyForQuery', onReady);
      connection.off('end', onEnd);
    };
    const onReady = (): void => {
      if (pendingQueries(client).includes(statement)) return;
      stop();
      resolve(statement);
    };
    const onEnd = (): void => {
      stop();
      reject(new Error('Connection terminated before the statement had ended'));
    };
    connection.on('readyForQuery', onReady);
    connection.on('end', onEnd);
    client.query(statement, (error: unknown, result: unknown) => {
      stop();
      if (error === null || error === undefined) resolve(result);
      else reject(error as Error);
    });
  });
}
