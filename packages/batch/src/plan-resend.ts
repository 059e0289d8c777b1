import type { Batch } from './batch.ts';
import type { Lane } from './lane.ts';
import type { Operation } from './operation.ts';
import { type Failure, type Outcome, reasonOf } from './read-outcomes.ts';
import { type RetryPolicy, askedBy } from './retry-policy.ts';

/** What to do with the operations of a batch that did not succeed as a whole. */
export interface ResendPlan {
  /**
   * For each operation:
   * - `again`: it is sent again after a wait;
   * - `apart`: the batch failed as a whole, perhaps because of another operation in it: it is sent in a smaller one;
   * - `undefined`: its outcome stands.
   */
  readonly fates: ('again' | 'apart' | undefined)[];
  /** How long the store asks to wait, in milliseconds. */
  asked: number;
  /** How many operations are not sent again because the budget is used up. */
  denied: number;
}

/**
 * Plans for a batch that has come back.
 *
 * An operation is not sent again when a later one of its ordering key was in the same batch and took effect, or may have: the earlier
 * one would take effect after the later one.
 *
 * @param divisible whether the batch may be sent in parts
 */
export function planResend<Op, R>(
  batch: Batch<Op, R>,
  outcomes: readonly Outcome<R>[],
  { policy, divisible }: { readonly policy: RetryPolicy<Op>; readonly divisible: boolean },
): ResendPlan {
  const { operations } = batch;
  const plan: ResendPlan = { fates: Array.from({ length: operations.length }), asked: 0, denied: 0 };
  const overtaken = new Set<Lane<Op, R>>();
  for (let index = operations.length - 1; index >= 0; index--) {
    const operation = operations[index] as Operation<Op, R>;
    const outcome = outcomes[index] as Outcome<R>;
    const { lane } = operation;
    if (!outcome.ok && (lane === undefined || !overtaken.has(lane)) && mayRepeat(operation, outcome, policy)) {
      const passing = batch.attempt < policy.attempts && isPassing(operation, outcome, policy);
      if (!passing) plan.fates[index] = divisible ? 'apart' : undefined;
      else if (afford(outcome, policy, plan)) plan.fates[index] = 'again';
    }
    if (plan.fates[index] === undefined && lane !== undefined && mayHaveTakenEffect(operation, outcome)) {
      overtaken.add(lane);
    }
  }
  if (plan.fates.includes('apart')) keepTogether(plan.fates);
  return plan;
}

/** Those sent again after a wait would be overtaken by those of their key that are sent apart at once. */
function keepTogether(fates: ResendPlan['fates']): void {
  for (const [index, fate] of fates.entries()) if (fate === 'again') fates[index] = 'apart';
}

function mayHaveTakenEffect<Op, R>(operation: Operation<Op, R>, outcome: Outcome<R>): boolean {
  return outcome.ok || (outcome.kind !== 'returned' && outcome.kind !== 'refused') || operation.uncertain;
}

/** Whether it would do no harm to send the operation again. */
function mayRepeat<Op, R>(operation: Operation<Op, R>, { kind }: Failure, policy: RetryPolicy<Op>): boolean {
  if (operation.settled || kind === 'invalid') return false;
  // A promise for an answer is none: what may not be sent twice must not slip through.
  return kind !== 'unknown' || sure(() => policy.isIdempotent(operation.op) === true);
}

function isPassing<Op, R>({ op }: Operation<Op, R>, failure: Failure, policy: RetryPolicy<Op>): boolean {
  return sure(() => policy.isRetryable(reasonOf(failure), op));
}

/** Whether an operation worth another attempt gets one: there is budget for it, and the store does not ask to wait for too long. */
function afford<Op>(failure: Failure, policy: RetryPolicy<Op>, plan: ResendPlan): boolean {
  const asked = askedBy(reasonOf(failure), policy);
  if (asked > policy.maxDelay) return false;
  if (!policy.budget.take(1)) {
    plan.denied++;
    return false;
  }
  plan.asked = Math.max(plan.asked, asked);
  return true;
}

/** A decision that cannot be made is a no; the caller gets the failure itself. */
function sure(decide: () => boolean): boolean {
  try {
    return decide();
  } catch {
    return false;
  }
}
