import type { CallTracker } from './call-tracker.ts';
import type { RecordSlot } from './function-registry.ts';

/** Any function or class. */
export type Callable = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** The same as a value that may be applied; what it really takes is checked by its caller's types. */
export type Applicable = (this: unknown, ...args: unknown[]) => unknown;

/** How a wrapped function is measured. */
export interface Instrument {
  readonly tracker: CallTracker;
  readonly slot: RecordSlot;
  /** Whether calls are recorded at all; if not, they go straight through. */
  readonly enabled: () => boolean;
  /** Calls the function: `Reflect.apply`, or something around it. */
  readonly apply: (fn: Applicable, self: unknown, args: ArrayLike<unknown>) => unknown;
}

/**
 * A function that behaves as `fn` in everything a caller can see (`this`, `new.target`, number of arguments, name, length, prototype, statics,
 * result, exception) and measures each call.
 */
export function wrapFunction(fn: Applicable, instrument: Instrument): Applicable {
  const { tracker, slot, enabled, apply } = instrument;
  // A `function`, for `this`, `new` and `arguments`: rest parameters would allocate, and an arrow has none of them.
  function wrapper(this: unknown): unknown {
    const target = new.target === wrapper ? fn : new.target;
    if (!enabled()) {
      return target === undefined ? Reflect.apply(fn, this, arguments) : Reflect.construct(fn, arguments, target);
    }
    const call = tracker.enter(slot.record(this));
    let result: unknown;
    try {
      result =
        target === undefined
          ? tracker.run(call, apply, fn, this, arguments)
          : tracker.run<[Applicable, ArrayLike<unknown>, typeof target], unknown>(
              call,
              Reflect.construct,
              fn,
              arguments,
              target,
            );
    } catch (error) {
      tracker.exit(call, true);
      throw error;
    }
    if (target === undefined) return tracker.settle(call, result);
    tracker.exit(call, false);
    return result;
  }
  imitate(wrapper, fn);
  return wrapper;
}

/** Gives `wrapper` the prototype chain and every own property of `fn`, with the same flags. */
function imitate(wrapper: Applicable, fn: Applicable): void {
  Object.setPrototypeOf(wrapper, Object.getPrototypeOf(fn) as object | null);
  const own = Object.getOwnPropertyDescriptors(fn) as Record<PropertyKey, PropertyDescriptor>;
  for (const key of Reflect.ownKeys(own)) {
    // `arguments` and `caller` of a sloppy function are V8's, and of no use to anybody.
    if (key !== 'arguments' && key !== 'caller') Object.defineProperty(wrapper, key, own[key] as PropertyDescriptor);
  }
  if (!Object.hasOwn(fn, 'prototype')) (wrapper as { prototype: unknown }).prototype = undefined;
}
