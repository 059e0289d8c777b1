import type { FunctionRecord } from './function-record.ts';
import { elapsed } from './real-clock.ts';

/**
 * One call that has begun, linked to the profiled call it was made from. A link is the asynchronous one, not the stack's: two calls that
 * run at the same time are both children of the call that started them.
 *
 * The parent of a call is its nearest *open* ancestor, at every moment: when a call ends before the calls it started, they pass to its own parent.
 * So `#running` of a call is the number of open calls whose nearest open ancestor it is, and a call's self time is the time during which that
 * number was 0. Overlapping children are thereby subtracted once, and no self time is ever negative.
 */
export class RunningCall {
  readonly record: FunctionRecord;
  readonly start: number;
  /** Whether this call and all inside it are timed: decided once, at the root. */
  readonly timed: boolean;
  /** Whether its time goes into the function's total: not when it runs inside another such call of the same function. */
  readonly counted: boolean;
  /** Milliseconds from begin to end; once closed. */
  total = 0;
  /** Milliseconds of `total` during which no profiled call inside it ran; once closed. */
  self = 0;
  /** CPU clock at the begin, then CPU milliseconds used; maintained by the tracker when it measures CPU time. */
  cpu = 0;
  /** Whether `cpu` is final. */
  cpuKnown = false;
  #closed = false;
  #parent: RunningCall | undefined;
  // The nearest open counted ancestor. Calls of one function nested deep make one link here, so that the walk below is as long
  // as there are different functions on the way up, not calls.
  #outer: RunningCall | undefined;
  #running = 0;
  #busySince = 0;
  #busy = 0;

  /**
   * @param from the call whose context this one begins in, open or not
   * @param begin `now` in milliseconds, and whether a root is timed
   */
  constructor(
    record: FunctionRecord,
    from: RunningCall | undefined,
    begin: { readonly now: number; readonly timed: boolean },
  ) {
    const parent = RunningCall.open(from);
    this.record = record;
    this.start = begin.now;
    this.timed = begin.timed;
    this.#parent = parent;
    if (parent === undefined) {
      this.counted = true;
      return;
    }
    // Cuts the way past closed ancestors: calls that each start the next one must not hold on to all of their past.
    parent.#parent = RunningCall.open(parent.#parent);
    if (parent.#running++ === 0) parent.#busySince = begin.now;
    this.#outer = RunningCall.#openOuter(parent.counted ? parent : parent.#outer);
    this.counted = !this.#isInside(record);
  }

  #isInside(record: FunctionRecord): boolean {
    for (let at = this.#outer; at !== undefined; at = at.#outer = RunningCall.#openOuter(at.#outer)) {
      if (at.record === record) return true;
    }
    return false;
  }

  /** `call`, or its nearest ancestor that has not ended. Amortised O(1): each walk shortens the next one. */
  static open(call: RunningCall | undefined): RunningCall | undefined {
    let open = call;
    while (open !== undefined && open.#closed) open = open.#parent;
    let at = call;
    while (at !== undefined && at !== open) {
      const next: RunningCall | undefined = at.#parent;
      at.#parent = open;
      at = next;
    }
    return open;
  }

  static #openOuter(call: RunningCall | undefined): RunningCall | undefined {
    let open = call;
    while (open !== undefined && open.#closed) open = open.#outer;
    return open;
  }

  /** Ends the call and works out {@link total} and {@link self}. @returns false when it had ended before */
  close(now: number): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.total = elapsed(this.start, now);
    if (this.#running > 0) this.#busy += elapsed(this.#busySince, now);
    this.self = Math.max(0, this.total - this.#busy);
    const parent = (this.#parent = RunningCall.open(this.#parent));
    if (parent === undefined) return true;
    parent.#running += this.#running - 1;
    if (parent.#running === 0) parent.#busy += elapsed(parent.#busySince, now);
    return true;
  }
}
