import { isPromiseLike } from '@perf/core';

/** What came of a call of a loader. */
export interface Loaded<K, V> {
  readonly values: ReadonlyMap<K, V>;
  /** Keys whose promises rejected. */
  readonly errors: ReadonlyMap<K, unknown>;
}

/** Nobody writes to it. */
const NO_ERRORS = new Map<never, unknown>();

/**
 * Waits for the promises that a loader's map may have in the place of values.
 *
 * @throws TypeError for what is no map
 */
export async function settleEach<K, V>(
  keys: readonly K[],
  values: ReadonlyMap<K, V | Promise<V>>,
): Promise<Loaded<K, V>> {
  checkValues(values);
  ignoreOthers(keys, values);
  if (!keys.some((key) => isPromiseLike(values.get(key)))) {
    return { values: values as ReadonlyMap<K, V>, errors: NO_ERRORS as ReadonlyMap<K, unknown> };
  }
  const there = keys.filter((key) => values.has(key));
  const outcomes = await Promise.allSettled(there.map((key) => values.get(key) as V | Promise<V>));
  const settled = new Map<K, V>();
  const errors = new Map<K, unknown>();
  for (const [index, key] of there.entries()) {
    const outcome = outcomes[index] as PromiseSettledResult<V>;
    if (outcome.status === 'fulfilled') settled.set(key, outcome.value);
    else errors.set(key, outcome.reason);
  }
  return { values: settled, errors };
}

/** Promises for keys that nobody asked for may reject as they like: unheard of, they would end the process. */
function ignoreOthers<K, V>(keys: readonly K[], values: ReadonlyMap<K, V | Promise<V>>): void {
  if (!(values instanceof Map) || (values.size <= keys.length && keys.every((key) => values.has(key)))) return;
  const asked = new Set(keys);
  for (const [key, value] of values) {
    if (!asked.has(key) && isPromiseLike(value)) Promise.resolve(value).catch(() => {});
  }
}

function checkValues<K, V>(values: ReadonlyMap<K, V>): void {
  if (typeof values?.has === 'function' && typeof values.get === 'function') return;
  throw new TypeError(`\`loader\` must return a Map of the values, got ${values === null ? 'null' : typeof values}`);
}
