import type { Session, ToolCall, ToolResult } from './session.ts';
import type { ToolKind } from './tool-kind.ts';

/** One call on its way through a batch. */
export class Operation {
  readonly call: ToolCall;
  readonly kind: ToolKind;
  /** Calls with the same key take effect in the order they were made; `undefined`: in any order. */
  readonly orderingKey: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly #outcome = Promise.withResolvers<ToolResult>();

  constructor(
    call: ToolCall,
    kind: ToolKind,
    options: { readonly signal?: AbortSignal | undefined; readonly orderingKey?: string | undefined },
  ) {
    this.call = call;
    this.kind = kind;
    this.orderingKey = options.orderingKey;
    this.signal = options.signal;
    // The batcher's promise is the one that is sure to settle; this one is there to be early.
    this.#outcome.promise.catch(() => {});
  }

  /** The result as soon as it is there: a call does not wait for the slowest of its batch. */
  get outcome(): Promise<ToolResult> {
    return this.#outcome.promise;
  }

  /** Settles {@link outcome} as the batcher settled the operation; of two calls, the first counts. */
  settleLike(promise: Promise<ToolResult>): void {
    promise.then(this.#outcome.resolve, this.#outcome.reject);
  }

  /** Carries the call out on `session`. */
  async runOn(session: Session, timeout: number, batch: AbortSignal): Promise<ToolResult> {
    const signal = this.signal === undefined ? batch : AbortSignal.any([this.signal, batch]);
    const result = await session.callTool(this.call, { signal, timeout });
    this.#outcome.resolve(result);
    return result;
  }
}
