import { LeaseEndedError, closedError } from './errors.ts';
import type { Slot } from './slot.ts';

/** What takes a lent connection back. */
export interface Lender<C> {
  readonly name: string;
  takeBack(slot: Slot<C>): void;
  discard(slot: Slot<C>, reason: unknown): void;
}

/**
 * The right to use one connection, until `release()` or `discard()`. `using lease = await pool.acquire()` releases it at the end
 * of the block.
 *
 * A lease ends once: after that it cannot touch the connection, which may serve another caller already.
 */
export class Lease<C> implements Disposable {
  readonly #lender: Lender<C>;
  readonly #slot: Slot<C>;
  /** Of the slot when it was lent. The pool takes a lent connection out of service only when it is closed by force. */
  readonly #generation: number;
  #ended = false;

  /** @internal */
  constructor(lender: Lender<C>, slot: Slot<C>) {
    this.#lender = lender;
    this.#slot = slot;
    this.#generation = slot.generation;
  }

  /** Whether the lease was released or discarded. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The connection.
   * @throws LeaseEndedError after `release()` or `discard()`; ClosedError when the pool was closed by force meanwhile
   */
  get connection(): C {
    if (this.#ended) throw new LeaseEndedError();
    if (this.#slot.generation !== this.#generation) throw closedError(this.#lender.name);
    return this.#slot.connection as C;
  }

  /**
   * Gives the connection back, straight to the caller that waits longest. Does nothing if the pool was closed by force meanwhile.
   * @throws LeaseEndedError when the lease was released or discarded before
   */
  release(): void {
    this.#end();
    if (this.#slot.generation === this.#generation) this.#lender.takeBack(this.#slot);
  }

  /**
   * Gives the connection back to be destroyed: it is broken, or in a state nobody should inherit.
   * @param reason why, for the pool's `onError`
   * @throws LeaseEndedError when the lease was released or discarded before
   */
  discard(reason?: unknown): void {
    this.#end();
    if (this.#slot.generation === this.#generation) this.#lender.discard(this.#slot, reason);
  }

  #end(): void {
    if (this.#ended) throw new LeaseEndedError();
    this.#ended = true;
  }

  /** Releases the connection unless the lease has ended already. */
  [Symbol.dispose](): void {
    if (!this.#ended) this.release();
  }
}
