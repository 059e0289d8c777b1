import type { Session, ToolCall, ToolResult } from './session.ts';
import type { ToolKind } from './tool-kind.ts';

/** One call on its way through a batch. */
export class Operation {
  readonly call: ToolCall;
  readonly kind: ToolKind;
  readonly #signal: AbortSignal | undefined;
  readonly #outcome = Promise.withResolvers<ToolResult>();

  constructor(call: ToolCall, kind: ToolKind, signal: AbortSignal | undefined) {
    this.call = call;
    this.kind = kind;
    this.#signal = signal;
  }

  /** The result as soon as it is there: a call does not wait for the slowest of its batch. */
  get outcome(): Promise<ToolResult> {
    return this.#outcome.promise;
  }

  /** Settles {@link outcome} as `promise`, the batcher's, settles, unless the result was there before. */
  settleLike(promise: Promise<ToolResult>): void {
    promise.then(this.#outcome.resolve, this.#outcome.reject);
  }

  /** Makes the call on `session`. Answers an error where a batch has to answer for each of its calls. */
  async runOn(session: Session, timeout: number, batch: AbortSignal): Promise<ToolResult | Error> {
    const signal = this.#signal === undefined ? batch : AbortSignal.any([this.#signal, batch]);
    try {
      const result = await session.callTool(this.call, { signal, timeout });
      this.#outcome.resolve(result);
      return result;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error), { cause: error });
    }
  }
}
