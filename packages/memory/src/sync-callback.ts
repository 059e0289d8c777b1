import { checkFunction, isPromiseLike } from '@perf/core';

/**
 * Throws a `TypeError` unless `value` is a function that can answer at once: an `async` function cannot, and would be found out only
 * after its promise had been taken for the answer.
 */
export function checkSyncFunction<F>(name: string, value: F): F {
  checkFunction(name, value);
  if (Object.prototype.toString.call(value) === '[object AsyncFunction]') {
    throw new TypeError(`\`${name}\` must be synchronous, got an async function`);
  }
  return value;
}

/** Throws a `TypeError` when a synchronous callback answered with a promise; that promise's rejection stays handled. */
export function refusePromise(name: string, answer: unknown): void {
  if (!isPromiseLike(answer)) return;
  answer.then(undefined, () => {});
  throw new TypeError(`\`${name}\` must be synchronous, but it returned a promise`);
}
