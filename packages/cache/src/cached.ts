import { randomUUID } from 'node:crypto';
import { checkDuration, checkFunction, checkOptions } from '@perf/core';
import { argumentKey } from './argument-key.ts';
import { checkCache, functionId, lookLike } from './function-id.ts';
import { type CacheKey, toStoreKey } from './cache-key.ts';
import { NO_OPTIONS } from './loader.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Options of {@link cached}. */
export interface CachedOptions<This, Args extends unknown[]> {
  /**
   * What tells calls apart, with the instance as `this`: instances for which it gives the same share results.
   * @default the instance and all of the arguments, compared in depth; arguments that no key can be made of are a TypeError
   */
  readonly key?: (this: This, ...args: Args) => CacheKey;
  /** Milliseconds a result is fresh. @default the cache's `ttl` */
  readonly ttl?: number;
  /**
   * What the results are filed under in the cache, unique there. Together with `key` it shares results with other processes or with a later run; without it they are this
   * class's and this process's alone.
   */
  readonly name?: string;
}

type AsyncMethod<This, Args extends unknown[], R> = (this: This, ...args: Args) => Promise<R>;

/**
 * A decorator for asynchronous methods, static ones and private ones included, that caches their results like {@link memoize}. Every instance has results of its own,
 * unless `key` says otherwise. `this`, the name and the number of parameters stay as they are.
 *
 * @throws TypeError when it decorates anything else, or the name is taken in this cache
 */
export function cached<V, This extends object, Args extends unknown[], R extends V>(
  cache: TieredCache<string, V>,
  options: CachedOptions<This, Args> = {},
): (
  method: AsyncMethod<This, Args, R>,
  context: ClassMethodDecoratorContext<This, AsyncMethod<This, Args, R>>,
) => AsyncMethod<This, Args, R> {
  checkCache(cache);
  checkOptions('cached', options, ['key', 'ttl', 'name']);
  const { key, ttl, name } = options;
  if (key !== undefined) checkFunction<unknown>('key', key);
  if (ttl !== undefined) checkDuration('ttl', ttl);
  const entry = ttl === undefined ? NO_OPTIONS : { ttl };
  return (method, context) => {
    if (context.kind !== 'method') throw new TypeError(`@cached decorates methods, not a ${String(context.kind)}`);
    const id = functionId(cache, name);
    const instances = new WeakMap<This, string>();
    const keyOf = (self: This, args: Args): string => {
      if (key !== undefined) return `${id}=${toStoreKey(key.apply(self, args))}`;
      return `${id}${instanceId(instances, self)}${argumentKey(args)}`;
    };
    return lookLike(async function (this: This, ...args: Args): Promise<R> {
      return (await cache.getOrLoad(keyOf(this, args), () => method.apply(this, args), entry)) as R;
    }, method);
  };
}

/** Told apart by an id of its own, which is unique beyond this process: the store may be shared. */
function instanceId<This extends object>(instances: WeakMap<This, string>, self: This): string {
  const id = instances.get(self) ?? randomUUID();
  instances.set(self, id);
  return id;
}
