import { isPromiseLike } from '@perf/core';
import { BatchFailedError, type BatchFacts, BatchResultError } from './errors.ts';
import { isError } from './is-error.ts';

/** How one operation came out. */
export type Outcome<R> = { readonly ok: true; readonly value: R } | Failure;

export interface Failure {
  readonly ok: false;
  /**
   * - `returned`: `execute` returned an error for it, so that it has not taken effect;
   * - `unknown`: the batch failed as a whole, and it may have taken effect;
   * - `refused`: the batch failed as a whole, as one transaction, so that it has not;
   * - `invalid`: `execute` answered nonsense, so that it may have taken effect, and trying again is of no use.
   */
  readonly kind: 'returned' | 'unknown' | 'refused' | 'invalid';
  /** What its callers get. */
  readonly error: unknown;
}

/** Matches what `execute` answered to the operations of its batch. Never throws, whatever the answer. */
export function readOutcomes<R>(answer: unknown, facts: BatchFacts): Outcome<R>[] {
  const { size } = facts;
  try {
    if (!Array.isArray(answer)) {
      return failAll(size, invalid(facts, `must return an array of ${size} results, got ${nameOf(answer)}`));
    }
    if (answer.length !== size) {
      return failAll(size, invalid(facts, `must return ${size} results, got ${answer.length}`));
    }
    return Array.from({ length: size }, (_, index) => readOne<R>(answer, index, facts));
  } catch (cause) {
    return failAll(size, invalid(facts, 'returned an array that cannot be read', { cause }));
  }
}

/** The outcomes of a batch that failed as a whole. */
export function readRejection(error: unknown, { size }: BatchFacts): Failure[] {
  const refused = error instanceof BatchFailedError && !error.outcomeUnknown;
  return failAll(size, { ok: false, kind: refused ? 'refused' : 'unknown', error });
}

/** What a failure is judged by: the store's own error rather than ours around it. Never throws, whatever the store gave for an error. */
export function reasonOf({ kind, error }: Failure): unknown {
  return kind !== 'returned' && error instanceof BatchFailedError ? error.cause : error;
}

/** The failure an operation is left with: the store's own error once it is found to be at fault, and no promise that an attempt before undoes. */
export function finalFailure(
  failure: Failure,
  { uncertain }: { readonly uncertain: boolean },
  batch: { readonly facts: BatchFacts; readonly bisection: object | undefined },
): Failure {
  const { kind, error } = failure;
  if (kind === 'returned' || !(error instanceof BatchFailedError)) return failure;
  const { facts } = batch;
  if (batch.bisection !== undefined && facts.size === 1 && isError(error.cause))
    return { ...failure, error: error.cause };
  if (kind !== 'refused' || !uncertain) return failure;
  return { ...failure, error: new BatchFailedError(facts, error.cause) };
}

function readOne<R>(answer: readonly unknown[], index: number, facts: BatchFacts): Outcome<R> {
  try {
    const value = answer[index];
    if (isError(value)) return { ok: false, kind: 'returned', error: value };
    if (value === undefined && !(index in answer)) return invalid(facts, `left out result ${index}`);
    if (!isPromiseLike(value)) return { ok: true, value: value as R };
    // Nobody else looks at it: its rejection must not bring the process down, whatever its `then` does.
    Promise.resolve(value).catch(() => {});
    const problem = `returned a promise as result ${index}, which it must await: else order and slots mean nothing`;
    return invalid(facts, problem);
  } catch (cause) {
    return invalid(facts, `returned something as result ${index} that cannot be read`, { cause });
  }
}

function invalid(facts: BatchFacts, problem: string, options?: ErrorOptions): Failure {
  return { ok: false, kind: 'invalid', error: new BatchResultError(facts, problem, options) };
}

function failAll(size: number, failure: Failure): Failure[] {
  return Array.from({ length: size }, () => failure);
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? `an object (${Object.prototype.toString.call(value)})` : `a ${typeof value}`;
}
