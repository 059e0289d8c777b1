import { DurableFailedError, DurableSerializationError } from './durable-errors.ts';

/** How far a set of operations is. */
export interface DurableProgress {
  readonly total: number;
  readonly succeeded: number;
  /** Failed for good, or executed with a result that was lost. */
  readonly failed: number;
  readonly pending: number;
}

/** Counts operations as they settle. Changes that come together are one step. Throws what says nothing of an operation: that the batcher was closed. */
export async function* watchProgress(
  keys: readonly string[],
  outcomeOf: (key: string, signal: AbortSignal) => Promise<unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<DurableProgress, void, undefined> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort);
  let succeeded = 0;
  let failed = 0;
  let unknown: { readonly error: unknown } | undefined;
  let changed = Promise.withResolvers<void>();
  for (const key of new Set(keys)) {
    outcomeOf(key, stop.signal)
      .then(
        () => succeeded++,
        (error: unknown) => {
          if (error instanceof DurableFailedError || error instanceof DurableSerializationError) failed++;
          else unknown ??= { error };
        },
      )
      .finally(() => changed.resolve());
  }
  const total = new Set(keys).size;
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (unknown !== undefined) throw unknown.error;
      yield { total, succeeded, failed, pending: total - succeeded - failed };
      if (succeeded + failed === total) return;
      await changed.promise;
      changed = Promise.withResolvers<void>();
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort();
  }
}
