import { LeaseEndedError, closedError } from './errors.ts';
import type { Loan } from './loan.ts';
import type { Slot } from './slot.ts';

/** What takes a lent connection back. */
export interface Lender<C> {
  readonly name: string;
  takeBack(slot: Slot<C>, loan: Loan | undefined): void;
  discard(slot: Slot<C>, loan: Loan | undefined, reason: unknown): void;
}

/** In place of the generation, once the lease has ended. */
const ENDED = -1;

/**
 * The right to use one connection, until `release()` or `discard()`. `using lease = await pool.acquire()` releases it at the end
 * of the block.
 *
 * A lease ends once: after that it cannot touch the connection, which may serve another caller already.
 */
export class Lease<C> implements Disposable {
  readonly #lender: Lender<C>;
  readonly #slot: Slot<C>;
  readonly #loan: Loan | undefined;
  /** Of the slot when it was lent. The pool takes a lent connection out of service only when it is closed by force. */
  #generation: number;

  /** @internal */
  constructor(lender: Lender<C>, slot: Slot<C>, loan: Loan | undefined) {
    this.#lender = lender;
    this.#slot = slot;
    this.#loan = loan;
    this.#generation = slot.generation;
  }

  /** Whether the lease was released or discarded. */
  get ended(): boolean {
    return this.#generation === ENDED;
  }

  /**
   * The connection.
   * @throws LeaseEndedError after `release()` or `discard()`; ClosedError when the pool was closed by force meanwhile
   */
  get connection(): C {
    if (this.#slot.generation === this.#generation) return this.#slot.connection as C;
    throw this.ended ? new LeaseEndedError() : closedError(this.#lender.name);
  }

  /**
   * Gives the connection back, straight to the caller that is next. Does nothing if the pool was closed by force meanwhile.
   * @throws LeaseEndedError when the lease was released or discarded before
   */
  release(): void {
    if (this.#end()) this.#lender.takeBack(this.#slot, this.#loan);
  }

  /**
   * Gives the connection back to be destroyed: it is broken, or in a state nobody should inherit. Where it serves several leases at once,
   * it is not lent any more, and destroyed when the last of them ends.
   * @param reason why, for the pool's `onError`
   * @throws LeaseEndedError when the lease was released or discarded before
   */
  discard(reason?: unknown): void {
    if (this.#end()) this.#lender.discard(this.#slot, this.#loan, reason);
  }

  /** Returns whether there is something to give back. */
  #end(): boolean {
    const generation = this.#generation;
    if (generation === ENDED) throw new LeaseEndedError();
    this.#generation = ENDED;
    return this.#slot.generation === generation;
  }

  /** Releases the connection unless the lease has ended already. */
  [Symbol.dispose](): void {
    if (!this.ended) this.release();
  }
}
