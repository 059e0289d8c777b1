import { types } from 'node:util';
import { type BatchFacts, BatchResultError } from './errors.ts';

/** How one operation of a call came out. */
export type DurableOutcome =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly error: unknown;
      /** Whether the call failed as a whole, so that another operation may be to blame. */
      readonly whole: boolean;
      /** Whether `execute` answered nonsense, which trying again does not mend. */
      readonly invalid: boolean;
    };

/** Matches what `execute` answered to the operations of the call. Never throws. */
export function readDurableOutcomes(answer: unknown, facts: BatchFacts): DurableOutcome[] {
  const { size } = facts;
  if (!Array.isArray(answer) || answer.length !== size) {
    const got = Array.isArray(answer) ? `${answer.length}` : `no array`;
    return fill(size, invalid(facts, `must return an array of ${size} results, got ${got}`));
  }
  try {
    return Array.from({ length: size }, (_, index) => readOne(answer, index, facts));
  } catch {
    return fill(size, invalid(facts, 'returned an array that cannot be read'));
  }
}

/** The outcomes of a call that threw. */
export function failedCall(size: number, error: unknown): DurableOutcome[] {
  return fill(size, { ok: false, error, whole: true, invalid: false });
}

function readOne(answer: readonly unknown[], index: number, facts: BatchFacts): DurableOutcome {
  const value = answer[index];
  if (value instanceof Error || types.isNativeError(value)) {
    return { ok: false, error: value, whole: false, invalid: false };
  }
  if (value === undefined && !(index in answer)) return invalid(facts, `left out result ${index}`);
  if (!types.isPromise(value)) return { ok: true, value };
  // Nobody else looks at it: its rejection must not bring the process down.
  value.catch(() => {});
  return invalid(facts, `returned a promise as result ${index}, which it must await`);
}

function invalid(facts: BatchFacts, problem: string): DurableOutcome {
  return { ok: false, error: new BatchResultError(facts, problem), whole: false, invalid: true };
}

function fill(size: number, outcome: DurableOutcome): DurableOutcome[] {
  return Array.from({ length: size }, () => outcome);
}
