import { checkFunction, isPromiseLike } from '@perf/core';

/** Hears of an error in one of your callbacks that no caller waits for. */
export type OnCallbackError = (
  error: unknown,
  context: {
    /** Which component called it. */
    readonly component: string;
    /** Which callback failed, such as `reset`. */
    readonly callback: string;
  },
) => void;

/**
 * Where the errors of callbacks go: to the `onError` of the component, or, without one, to one process warning
 * (code `PERF_MEMORY_CALLBACK`) for the first, so that they are never silent and never a flood.
 */
export class ErrorReporter {
  readonly #component: string;
  readonly #onError: OnCallbackError | undefined;
  #count = 0;

  constructor(component: string, onError: OnCallbackError | undefined) {
    if (onError !== undefined) checkFunction('onError', onError);
    this.#component = component;
    this.#onError = onError;
  }

  /** How many errors were reported. */
  get count(): number {
    return this.#count;
  }

  report(callback: string, error: unknown): void {
    this.#count++;
    try {
      if (this.#onError === undefined) this.#warnOnce(callback, error);
      else {
        const answer: unknown = this.#onError(error, { component: this.#component, callback });
        if (isPromiseLike(answer)) answer.then(undefined, () => {});
      }
    } catch {
      // An observer that throws hurts nobody.
    }
  }

  #warnOnce(callback: string, error: unknown): void {
    if (this.#count > 1) return;
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.emitWarning(`${this.#component}: \`${callback}\` failed; later failures are only counted in stats()`, {
      type: 'PerfWarning',
      code: 'PERF_MEMORY_CALLBACK',
      detail,
    });
  }
}
