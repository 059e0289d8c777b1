const EXPECTED =
  'DataLoader must be constructed with a function which accepts Array<key> and returns Promise<Array<value>>, but';

/** The error of a batch function that threw before it returned anything. */
export function threwSynchronously(cause: unknown): TypeError {
  return new TypeError(`${EXPECTED} the function errored synchronously: ${textOf(cause)}.`, { cause });
}

export function noPromise(answer: unknown): TypeError {
  return new TypeError(`${EXPECTED} the function did not return a Promise: ${textOf(answer)}.`);
}

/**
 * What a batch function resolved with, if it is one value per key. Throws an error with the text of the `dataloader` package when it is no such
 * thing: programs match on it.
 */
export function valuesOf<V>(answer: unknown, keys: readonly unknown[]): ArrayLike<V | Error> {
  if (!isArrayLike<V | Error>(answer)) {
    throw new TypeError(`${EXPECTED} the function did not return a Promise of an Array: ${textOf(answer)}.`);
  }
  if (answer.length !== keys.length) {
    throw new TypeError(
      `${EXPECTED} the function did not return a Promise of an Array of the same length as the Array of keys.` +
        `\n\nKeys:\n${textOf(keys)}\n\nValues:\n${textOf(answer)}`,
    );
  }
  return answer;
}

export function isArrayLike<T>(value: unknown): value is ArrayLike<T> {
  if (typeof value !== 'object' || value === null) return false;
  const { length } = value as { length?: unknown };
  return typeof length === 'number' && (length === 0 || (length > 0 && Object.hasOwn(value, length - 1)));
}

/** `String(value)`, for any value: a symbol in an array or an object without a prototype would throw. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
