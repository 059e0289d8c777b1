import { randomUUID } from 'node:crypto';
import { checkName } from '@perf/core';
import type { CacheKey } from './cache-key.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Names taken in each cache: two functions under one name would be given each other's results. */
const taken = /*@__PURE__*/ new WeakMap<object, Set<string>>();

/**
 * What the keys of one function in a cache start with. A name is shared by every process that gives it; without one the keys are this function's and this process's alone, because
 * neither a function's own name nor the order in which functions are made says reliably which one it is.
 *
 * @throws TypeError when the name is taken in this cache
 */
export function functionId<K extends CacheKey, V>(cache: TieredCache<K, V>, name: string | undefined): string {
  if (name === undefined) return randomUUID();
  checkName('name', name);
  const names = taken.get(cache) ?? new Set<string>();
  if (names.has(name)) throw new TypeError(`\`name\` must be unique in a cache, and ${JSON.stringify(name)} is taken`);
  taken.set(cache, names.add(name));
  // Quoted, so that no name can be mistaken for another one and the start of a key.
  return JSON.stringify(name);
}

/** @throws TypeError for what is no cache. By its methods, not its class: there may be two copies of this package */
export function checkCache(cache: unknown): void {
  if (typeof (cache as Partial<TieredCache<string, unknown>> | null)?.getOrLoad !== 'function') {
    throw new TypeError('`cache` must be a TieredCache');
  }
}

/** Gives a wrapper the name and the number of parameters of what it wraps. */
export function lookLike<F extends (...args: never[]) => unknown>(
  wrapper: F,
  { name, length }: { readonly name: string; readonly length: number },
): F {
  return Object.defineProperties(wrapper, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
}
