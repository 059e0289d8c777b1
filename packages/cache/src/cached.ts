import { randomUUID } from 'node:crypto';
import { argumentKey } from './argument-key.ts';
import type { CacheKey } from './cache-key.ts';
import {
  type Calls,
  type CallsThrough,
  type ResultOptions,
  callThrough,
  checkResultOptions,
  chosenKey,
} from './calls.ts';
import { checkCache, functionId, lookLike } from './function-id.ts';
import type { TieredCache } from './tiered-cache.ts';

/** Options of {@link cached}. */
export interface CachedOptions<This, Args extends unknown[], R = unknown> extends ResultOptions<Args, R> {
  /**
   * What tells calls apart, with the instance as `this`: instances for which it gives the same share results.
   * @default the instance and all of the arguments, compared in depth; arguments that no key can be made of are a TypeError
   */
  readonly key?: (this: This, ...args: Args) => CacheKey;
  /**
   * What the results are filed under in the cache, unique there. Together with `key` it shares results with other processes or with a later run; without it they are this
   * class's and this process's alone.
   */
  readonly name?: string;
}

type AsyncMethod<This, Args extends unknown[], R> = (this: This, ...args: Args) => Promise<R>;

/** The calls of decorated methods, by method and instance. */
const callsOf = /*@__PURE__*/ new WeakMap<object, (self: object) => unknown>();

/**
 * A standard decorator (compiled without `experimentalDecorators`) for asynchronous methods, static ones and private ones included, that caches their results like {@link memoize}. Every instance has results of its own,
 * unless `key` says otherwise. `this`, the name and the number of parameters stay as they are. {@link memoOf} is for what else can be done about the results.
 *
 * @throws TypeError when it decorates anything else, or the name is taken in this cache
 */
export function cached<V, This extends object, Args extends unknown[], R extends V>(
  cache: TieredCache<string, V>,
  options: CachedOptions<This, Args, R> = {},
): (
  method: AsyncMethod<This, Args, R>,
  context: ClassMethodDecoratorContext<This, AsyncMethod<This, Args, R>>,
) => AsyncMethod<This, Args, R> {
  checkCache(cache);
  checkResultOptions('cached', options);
  const { key, name, ...kept } = options;
  return (method, context) => {
    // The older decorators of TypeScript are given the class, the name and a descriptor.
    if (typeof context !== 'object') {
      throw new TypeError('@cached is a standard decorator: compile without `experimentalDecorators`');
    }
    if (context.kind !== 'method') throw new TypeError(`@cached decorates methods, not a ${String(context.kind)}`);
    const id = functionId(cache, name);
    const bound = new WeakMap<This, CallsThrough<Args, R>>();
    const bind = (self: This): CallsThrough<Args, R> => {
      const own = key === undefined ? id + randomUUID() : id;
      const keyOf = (args: Args): string =>
        own + (key === undefined ? argumentKey(args) : chosenKey(key.apply(self, args)));
      const calls = callThrough<V, Args, R>(cache, { ...kept, call: (...args) => method.apply(self, args), keyOf });
      bound.set(self, calls);
      return calls;
    };
    const replacement = lookLike(async function (this: This, ...args: Args): Promise<R> {
      return (bound.get(this) ?? bind(this)).call(...args);
    }, method);
    callsOf.set(replacement, (self) => (bound.get(self as This) ?? bind(self as This)).calls);
    return replacement;
  };
}

/** The calls of a method. */
type CallsOf<Method> = Method extends (...args: infer Args) => Promise<infer R> ? Calls<Args, R> : never;

/**
 * The cached calls of a decorated method on one instance: `memoOf(weather, 'today').invalidate('Oslo')`. For a static method the class is the instance.
 *
 * @throws TypeError when the method is not decorated with {@link cached}
 */
export function memoOf<This extends object, Name extends keyof This>(self: This, method: Name): CallsOf<This[Name]> {
  const found = self[method];
  const calls = typeof found === 'function' ? callsOf.get(found) : undefined;
  if (calls === undefined)
    throw new TypeError(`\`method\` must be decorated with @cached, and ${String(method)} is not`);
  return calls(self) as CallsOf<This[Name]>;
}
