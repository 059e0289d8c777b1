import type { Lane } from './lane.ts';
import type { Operation } from './operation.ts';
import { type Failure, type Outcome, reasonOf } from './read-outcomes.ts';
import type { RetryPolicy } from './retry-policy.ts';

/**
 * Which operations of a batch that has come back are sent again.
 *
 * An operation is not when a later one of its ordering key was in the same batch and took effect, or may have: sent again, the earlier
 * one would take effect after the later one.
 */
export function planRetry<Op, R>(
  operations: readonly Operation<Op, R>[],
  outcomes: readonly Outcome<R>[],
  policy: RetryPolicy<Op>,
): Set<Operation<Op, R>> {
  const again: Operation<Op, R>[] = [];
  const overtaken = new Set<Lane<Op, R>>();
  for (let index = operations.length - 1; index >= 0; index--) {
    const operation = operations[index] as Operation<Op, R>;
    const outcome = outcomes[index] as Outcome<R>;
    const { lane } = operation;
    const free = lane === undefined || !overtaken.has(lane);
    if (free && !outcome.ok && worthIt(operation, outcome, policy)) again.push(operation);
    else if (lane !== undefined && mayHaveTakenEffect(operation, outcome)) overtaken.add(lane);
  }
  return new Set(again);
}

function mayHaveTakenEffect<Op, R>(operation: Operation<Op, R>, outcome: Outcome<R>): boolean {
  return outcome.ok || outcome.kind !== 'returned' || operation.uncertain;
}

function worthIt<Op, R>(operation: Operation<Op, R>, failure: Failure, policy: RetryPolicy<Op>): boolean {
  if (operation.settled || failure.kind === 'invalid') return false;
  try {
    if (failure.kind === 'unknown' && !policy.isIdempotent(operation.op)) return false;
    return policy.isRetryable(reasonOf(failure), operation.op);
  } catch {
    // A decision that cannot be made is a no; the caller gets the failure itself.
    return false;
  }
}
