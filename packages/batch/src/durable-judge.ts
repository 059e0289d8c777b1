import type { DurableOutcome } from './durable-outcomes.ts';
import type { DurablePending } from './durable-pending.ts';
import type { DurableRetryPolicy } from './durable-worker-options.ts';
import { askedBy, fullJitter } from './retry-policy.ts';

/** What becomes of an operation after a call. */
export type Verdict =
  | { readonly kind: 'ok'; readonly value: unknown }
  | { readonly kind: 'dead'; readonly error: unknown }
  /** `cap`: with how many others it may be in the next call. */
  | { readonly kind: 'again'; readonly wait: number; readonly cap: number };

/**
 * Decides for each operation of a call, in its order.
 *
 * One that failed is not tried again when a later one of its ordering key took effect in the same call: it would overwrite it. When the call failed as a whole, and
 * trying is over, the halves are tried by themselves, so that in the end only the operations to blame fail.
 */
export function judge<Op>(
  call: readonly DurablePending<Op>[],
  outcomes: readonly DurableOutcome[],
  { policy, random }: { readonly policy: DurableRetryPolicy<Op>; readonly random: () => number },
): Verdict[] {
  const verdicts: Verdict[] = [];
  const overtaken = new Set<string>();
  for (let index = call.length - 1; index >= 0; index--) {
    const pending = call[index] as DurablePending<Op>;
    const outcome = outcomes[index] as DurableOutcome;
    const { orderingKey } = pending;
    const late = orderingKey !== undefined && overtaken.has(orderingKey);
    const verdict = judgeOne(outcome, { pending, policy, random, late, size: call.length });
    if (verdict.kind === 'ok' && orderingKey !== undefined) overtaken.add(orderingKey);
    verdicts[index] = verdict;
  }
  return verdicts;
}

interface Circumstances<Op> {
  readonly pending: DurablePending<Op>;
  readonly policy: DurableRetryPolicy<Op>;
  readonly random: () => number;
  /** Whether a later operation of its key took effect. */
  readonly late: boolean;
  readonly size: number;
}

function judgeOne<Op>(outcome: DurableOutcome, { pending, policy, random, late, size }: Circumstances<Op>): Verdict {
  if (outcome.ok) return { kind: 'ok', value: outcome.value };
  const { error, whole, invalid } = outcome;
  if (invalid || late) return { kind: 'dead', error };
  const { attempt, cap } = pending;
  if (attempt < policy.attempts && isRetryable(error, pending.op, policy)) {
    return { kind: 'again', wait: Math.max(fullJitter(attempt, policy, random()), askedBy(error, policy)), cap };
  }
  if (!whole || size === 1) return { kind: 'dead', error };
  return { kind: 'again', wait: 0, cap: Math.ceil(size / 2) };
}

function isRetryable<Op>(error: unknown, op: Op, policy: DurableRetryPolicy<Op>): boolean {
  try {
    return policy.isRetryable(error, op);
  } catch {
    // A decision that cannot be made is a no.
    return false;
  }
}
