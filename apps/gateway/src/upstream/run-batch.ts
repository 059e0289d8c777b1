import type { Operation } from './operation.ts';
import type { Session, ToolResult } from './session.ts';

/** What a batch is carried out with. */
export interface BatchRun {
  readonly session: Session;
  /** Milliseconds each call may take. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/**
 * Carries out the operations of a batch on one session, all at once, but those with the same ordering key one after the other.
 * Answers in their order; an operation that failed answers its error.
 */
export function runBatch(operations: readonly Operation[], run: BatchRun): Promise<(ToolResult | Error)[]> {
  const last = new Map<string, Promise<unknown>>();
  return Promise.all(
    operations.map((operation) => {
      const { orderingKey } = operation;
      const before = orderingKey === undefined ? undefined : last.get(orderingKey);
      const running = runAfter(before, operation, run);
      if (orderingKey !== undefined) last.set(orderingKey, running);
      return running;
    }),
  );
}

async function runAfter(
  before: Promise<unknown> | undefined,
  operation: Operation,
  run: BatchRun,
): Promise<ToolResult | Error> {
  await before;
  try {
    return await operation.runOn(run.session, run.timeout, run.signal);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error), { cause: error });
  }
}
