import { PerfError } from '@perf/core';
import type { EncodedThrown } from './frame.ts';
import { KNOWN_ERRORS } from './known-errors.ts';

type EncodedError = Extract<EncodedThrown, { kind: 'error' }>;

/**
 * Makes again what was thrown on the other side. Errors are real ones, of the nearest class of the language above theirs, with the name of their
 * own class as `constructor.name`, the other side's stack, and their own properties and causes.
 */
export function decodeThrown(encoded: EncodedThrown): unknown {
  return encoded.kind === 'value' ? encoded.value : decodeError(encoded);
}

/** A function that is running now, and was called by nothing of interest: a reaction of a promise. */
export type Reaction = () => unknown;

/**
 * Like {@link decodeThrown}, with what is known of the asynchronous callers on this side added to the stack of the other one.
 * It is known within a reaction of the promise they await (see `PoolTask.fail`).
 */
export function decodeThrownHere(encoded: EncodedThrown, reaction: Reaction): unknown {
  const thrown = decodeThrown(encoded);
  if (encoded.kind === 'error' && thrown instanceof Error) {
    define(thrown, 'stack', `${thrown.stack ?? ''}${asyncCallers(reaction)}`);
  }
  return thrown;
}

/** What is below the reaction on the stack, if V8 knows anything of that. */
function asyncCallers(reaction: Reaction): string {
  const here: { readonly stack?: unknown } = {};
  Error.captureStackTrace(here, reaction);
  const { stack } = here;
  const start = typeof stack === 'string' ? stack.indexOf('\n') : -1;
  return start === -1 ? '' : (stack as string).slice(start);
}

function decodeError(encoded: EncodedError): Error {
  const error = create(encoded);
  define(error, 'stack', encoded.stack ?? `${encoded.name}: ${encoded.message}`);
  if (error.name !== encoded.name) define(error, 'name', encoded.name);
  if (encoded.cause !== undefined) define(error, 'cause', decodeThrown(encoded.cause));
  if (encoded.errors !== undefined) define(error, 'errors', encoded.errors.map(decodeThrown));
  for (const [key, value] of Object.entries(encoded.properties)) {
    Object.defineProperty(error, key, {
      value: decodeThrown(value),
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
  return error;
}

function create({ base, className, message, name }: EncodedError): Error {
  if (base === 'DOMException') return new DOMException(message, name);
  const Base = base === 'PerfError' ? PerfError : (KNOWN_ERRORS.find((each) => each.name === base) ?? Error);
  const Class = className === Base.name ? Base : subclass(Base, className);
  // Made as an `Error`, so that it is a native one, without running the constructor of a class that expects other arguments.
  return Reflect.construct(Error, [message], Class) as Error;
}

function subclass(Base: { readonly prototype: unknown }, className: string): NewableFunction {
  const Class = function Class(): void {};
  Object.defineProperty(Class, 'name', { value: className, configurable: true });
  Object.setPrototypeOf(Class, Base);
  Class.prototype = Object.create(Base.prototype as object, {
    constructor: { value: Class, writable: true, configurable: true },
  });
  return Class as unknown as NewableFunction;
}

/** As the language defines these on an error: not enumerable. */
function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
