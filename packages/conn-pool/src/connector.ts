import { AsyncLocalStorage } from 'node:async_hooks';
import { deadline, isPromiseLike } from '@perf/core';
import { CallbackTimeoutError, DuplicateConnectionError, NoConnectionError } from './errors.ts';
import { hush } from './hush.ts';
import type { CreateContext, PoolOperation, Settings, ValidateContext } from './options.ts';

/** The abort signal of one validation, made when somebody asks for it: most validations look at a flag and are done. */
class Validation implements ValidateContext {
  #controller: AbortController | undefined;
  #ended: AbortSignal | undefined;

  get signal(): AbortSignal {
    // One that asks too late is to hear that, too.
    if (this.#ended !== undefined) return this.#ended;
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    if (this.#controller === undefined) this.#ended = AbortSignal.abort(reason);
    else this.#controller.abort(reason);
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
  /** The connections that are not destroyed yet, as far as they are objects: equal primitives cannot be told apart. */
  readonly #live = new WeakSet<WeakKey>();
  #checkErrors = 0;

  constructor(settings: Settings<C>) {
    this.#settings = settings;
  }

  /** How many connections `validate` and `reset` found unfit. */
  get checkErrors(): number {
    return this.#checkErrors;
  }

  /** Rejects with what `create` threw, and when its answer cannot be pooled. */
  create(ctx: CreateContext): Promise<C> {
    const claimed = async (): Promise<C> => {
      const connection = await this.#settings.create(ctx);
      this.#claim(connection);
      return connection;
    };
    return this.#inPoolContext(claimed);
  }

  /** Whether the connection may be lent. The promise does not reject. @param onError hears of what it fails with, if it is an error */
  validate(connection: C, onError: (error: unknown) => void): boolean | Promise<boolean> {
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
        (error: unknown) => this.#unfit(error, 'validate', onError),
      );
    } catch (error) {
      return this.#unfit(error, 'validate', onError);
    }
  }

  /** Whether the connection is fit for the next caller. The promise does not reject. @param onError as for `validate` */
  reset(connection: C, onError: (error: unknown) => void): boolean | Promise<boolean> {
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
        (error: unknown) => this.#unfit(error, 'reset', onError),
      );
    } catch (error) {
      return this.#unfit(error, 'reset', onError);
    }
  }

  /** Ends the connection. Returns a promise, which does not reject, only while there is something to wait for. */
  destroy(connection: C): Promise<void> | undefined {
    const { destroyTimeout } = this.#settings;
    const pending = this.#destroying(connection, destroyTimeout);
    if (pending === undefined) this.#free(connection);
    return pending?.then(() => this.#free(connection));
  }

  #destroying(connection: C, destroyTimeout: number): Promise<void> | undefined {
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
    // If it throws, it does not know this error: the connection goes, and the caller hears of the error, not of that.
    return answerTo(this.#settings.isFatal, error, true);
  }

  isFailover(error: unknown): boolean {
    return answerTo(this.#settings.isFailover, error, false);
  }

  report(error: unknown, operation: PoolOperation): void {
    const { onError } = this.#settings;
    if (onError !== undefined) hush(() => onError(error, operation));
  }

  #claim(connection: unknown): void {
    if (connection === undefined || connection === null) throw new NoConnectionError(connection);
    if (!isWeakKey(connection)) return;
    if (this.#live.has(connection)) throw new DuplicateConnectionError();
    this.#live.add(connection);
  }

  #free(connection: unknown): void {
    if (isWeakKey(connection)) this.#live.delete(connection);
  }

  #verdict(healthy: unknown): boolean {
    if (!healthy) this.#checkErrors++;
    return Boolean(healthy);
  }

  #unfit(error: unknown, operation: 'validate' | 'reset', onError: (error: unknown) => void): false {
    this.#checkErrors++;
    onError(error);
    this.report(error, operation);
    return false;
  }
}

function answerTo(question: ((error: unknown) => boolean) | undefined, error: unknown, ifItThrows: boolean): boolean {
  if (question === undefined) return false;
  let answer = ifItThrows;
  hush(() => {
    const given: unknown = question(error);
    answer = given === true;
    return given;
  });
  return answer;
}

function isWeakKey(value: unknown): value is WeakKey {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
