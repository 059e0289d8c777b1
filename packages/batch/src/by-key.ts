import { checkFunction, checkOptions } from '@perf/core';
import type { BatchContext } from './batcher-options.ts';

/** Results by key: a `Map`, anything with its `has` and `get`, or an object whose own properties are the keys. */
export type ResultsByKey<K, R> =
  | { has(key: K): boolean; get(key: K): R | Error | undefined }
  | Readonly<Record<string, R | Error>>;

/** Options of {@link byKey}. */
export interface ByKeyOptions<Op, R, K> {
  /** Carries out a batch and answers with the results by key. Operations with the same key get the same result. */
  readonly execute: (ops: readonly Op[], context: BatchContext) => PromiseLike<ResultsByKey<K, R>> | ResultsByKey<K, R>;
  /** The key of an operation, as in the answer; a property name for an object. */
  readonly keyOf: (op: Op) => K;
  /** What an operation gets whose key is not in the answer. @default it fails with a `BatchResultError`, its outcome unknown */
  readonly missing?: ((op: Op) => R | Error) | undefined;
}

/**
 * An `execute` for a {@link Batcher} out of one that answers by key, in any order: rows of a `SELECT ... WHERE id IN (...)`, a `Map`, a JSON object.
 * Keys nobody asked for are ignored. An answer of another shape fails the batch.
 */
export function byKey<Op, R, K = string>(
  options: ByKeyOptions<Op, R, K>,
): (ops: readonly Op[], context: BatchContext) => Promise<(R | Error)[]> {
  checkOptions('byKey', options, ['execute', 'keyOf', 'missing']);
  const { missing } = options;
  const execute = checkFunction('execute', options.execute);
  const keyOf = checkFunction('keyOf', options.keyOf);
  if (missing !== undefined) checkFunction('missing', missing);
  return async (ops, context) => {
    const keys = ops.map((op) => keyOf(op));
    const answer = lookUp(await execute(ops, context));
    const results: (R | Error)[] = [];
    // A place left empty is an operation without an answer.
    results.length = ops.length;
    for (const [index, op] of ops.entries()) {
      const key = keys[index] as K;
      if (answer.has(key)) results[index] = answer.get(key) as R | Error;
      else if (missing !== undefined) results[index] = missing(op);
    }
    return results;
  };
}

interface LookUp<K, R> {
  has(key: K): boolean;
  get(key: K): R | Error | undefined;
}

function lookUp<K, R>(answer: ResultsByKey<K, R>): LookUp<K, R> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw new TypeError('byKey: `execute` must answer with a Map or an object of results by key');
  }
  if (typeof answer.has === 'function' && typeof answer.get === 'function') {
    const map = answer as LookUp<K, R>;
    return { has: (key) => map.has(key), get: (key) => map.get(key) };
  }
  const record = answer as Readonly<Record<string, R | Error>>;
  // Own properties only: an operation with the key "constructor" has no result just so.
  return { has: (key) => Object.hasOwn(record, String(key)), get: (key) => record[String(key)] };
}
