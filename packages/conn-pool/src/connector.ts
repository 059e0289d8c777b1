import { AsyncLocalStorage } from 'node:async_hooks';
import { deadline } from '@perf/core';
import { CallbackTimeoutError } from './errors.ts';
import type { CreateContext, PoolOperation, Settings, ValidateContext } from './options.ts';

/** The abort signal of one validation, made when somebody asks for it: most validations look at a flag and are done. */
class Validation implements ValidateContext {
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller?.abort(reason);
  }
}

/**
 * Calls the user's callbacks, which may throw, reject, hang and answer late: nothing of that gets past this class.
 * Where a callback answers at once, so do these methods.
 */
export class Connector<C> {
  readonly #settings: Settings<C>;
  /** A connection serves many callers: it must not keep the async context of the one it happened to be opened for. */
  readonly #inPoolContext = AsyncLocalStorage.snapshot();
  #checkErrors = 0;

  constructor(settings: Settings<C>) {
    this.#settings = settings;
  }

  /** How many connections `validate` and `reset` found unfit. */
  get checkErrors(): number {
    return this.#checkErrors;
  }

  create(ctx: CreateContext): Promise<C> {
    const settled = async (): Promise<C> => this.#settings.create(ctx);
    return this.#inPoolContext(settled);
  }

  /** Whether the connection may be lent. The promise does not reject. */
  validate(connection: C): boolean | Promise<boolean> {
    const { validate, validateTimeout } = this.#settings;
    if (validate === undefined) return true;
    const validation = new Validation();
    const timedOut = (timeout: number): Error => {
      const error = new CallbackTimeoutError('validate', timeout);
      validation.abort(error);
      return error;
    };
    try {
      const answer = validate(connection, validation);
      if (!isPromiseLike(answer)) return this.#verdict(answer);
      return deadline(() => answer, { timeout: validateTimeout, onTimeout: timedOut }).then(
        (healthy) => this.#verdict(healthy),
        (error: unknown) => this.#unfit(error, 'validate'),
      );
    } catch (error) {
      return this.#unfit(error, 'validate');
    }
  }

  /** Whether the connection is fit for the next caller. The promise does not reject. */
  reset(connection: C): boolean | Promise<boolean> {
    const { reset, validateTimeout } = this.#settings;
    if (reset === undefined) return true;
    try {
      const answer = reset(connection);
      if (!isPromiseLike(answer)) return true;
      return deadline(() => answer, {
        timeout: validateTimeout,
        onTimeout: (ms) => new CallbackTimeoutError('reset', ms),
      }).then(
        () => true,
        (error: unknown) => this.#unfit(error, 'reset'),
      );
    } catch (error) {
      return this.#unfit(error, 'reset');
    }
  }

  /** Ends the connection. Returns a promise, which does not reject, only while there is something to wait for. */
  destroy(connection: C): Promise<void> | undefined {
    const { destroyTimeout } = this.#settings;
    try {
      const answer = this.#settings.destroy(connection);
      if (!isPromiseLike(answer)) return undefined;
      return deadline(() => answer, {
        timeout: destroyTimeout,
        onTimeout: (ms) => new CallbackTimeoutError('destroy', ms),
      }).then(
        () => {},
        (error: unknown) => this.report(error, 'destroy'),
      );
    } catch (error) {
      this.report(error, 'destroy');
      return undefined;
    }
  }

  isFatal(error: unknown): boolean {
    try {
      return this.#settings.isFatal?.(error) === true;
    } catch {
      // It does not know this error: the error is the news for the caller, not what became of the question.
      return true;
    }
  }

  report(error: unknown, operation: PoolOperation): void {
    try {
      this.#settings.onError?.(error, operation);
    } catch {
      // An observer never hurts the pool.
    }
  }

  #verdict(healthy: unknown): boolean {
    if (!healthy) this.#checkErrors++;
    return Boolean(healthy);
  }

  #unfit(error: unknown, operation: 'validate' | 'reset'): false {
    this.#checkErrors++;
    this.report(error, operation);
    return false;
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}
