import type { BatchLoadContext } from './data-loader-options.ts';

/** What a batch function is given as its context. The signal is made when somebody asks for it: most batch functions do not. */
export class LoaderCall implements BatchLoadContext {
  #controller: AbortController | undefined = undefined;
  #aborted: { readonly reason: unknown } | undefined = undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  /** Not a method: what the batch function holds has nothing but the signal. */
  static abort(call: LoaderCall, reason: unknown): void {
    call.#aborted = { reason };
    call.#controller?.abort(reason);
  }
}
