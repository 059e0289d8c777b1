import { isError } from './is-error.ts';

/**
 * The results of a batch all of whose operations have succeeded, as almost all have: an array of the right length without an error, a hole or a promise in it.
 * `undefined` for any other answer, which has to be looked at more closely. A copy, so that what `execute` does to its array later, or a getter in it, changes nothing.
 */
export function plainResults<R>(answer: unknown, size: number): R[] | undefined {
  try {
    if (!Array.isArray(answer) || answer.length !== size) return undefined;
    const results: R[] = [];
    for (let index = 0; index < size; index++) {
      const value: unknown = answer[index];
      if (!isPlain(value) || (value === undefined && !(index in answer))) return undefined;
      results.push(value as R);
    }
    return results;
  } catch {
    return undefined;
  }
}

function isPlain(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return true;
  return !isError(value) && typeof (value as { then?: unknown }).then !== 'function';
}
