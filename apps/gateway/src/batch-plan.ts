/** What the plan needs to know of a call. */
export interface PlannedCall {
  readonly server: string;
  /** Whether it may change the server's state. */
  readonly writes: boolean;
  /** What it works on; calls that name different things do not affect each other. Absent: anything. */
  readonly subject: string | undefined;
}

/**
 * Cuts the calls of a batch into waves, as lists of indexes: the calls of a wave may run side by side, and a wave starts when the one before has ended.
 * The outcome is that of running the calls one after the other, as far as subjects are true. Two calls conflict when one of them writes and they may touch the same
 * thing; a call stands in the first wave after those of the earlier calls it conflicts with.
 *
 * Calls to different servers never wait for each other: each server has its own list of waves. O(calls).
 */
export function planBatch(calls: readonly PlannedCall[]): Map<string, number[][]> {
  const plans = new Map<string, ServerPlan>();
  for (const [index, call] of calls.entries()) {
    const plan = plans.get(call.server) ?? new ServerPlan();
    plans.set(call.server, plan);
    plan.add(index, call);
  }
  return new Map([...plans].map(([server, { waves }]) => [server, waves]));
}

/** The last waves in which something was read and written; -1 for none. */
class LastWaves {
  read = -1;
  write = -1;

  /** The first wave in which a call that conflicts with all of these may stand. */
  after(writes: boolean): number {
    return 1 + (writes ? Math.max(this.read, this.write) : this.write);
  }

  note(writes: boolean, wave: number): void {
    if (writes) this.write = Math.max(this.write, wave);
    else this.read = Math.max(this.read, wave);
  }
}

class ServerPlan {
  readonly waves: number[][] = [];
  readonly #all = new LastWaves();
  readonly #anySubject = new LastWaves();
  readonly #bySubject = new Map<string, LastWaves>();

  add(index: number, { writes, subject }: PlannedCall): void {
    const same = subject === undefined ? this.#anySubject : this.#of(subject);
    const wave =
      subject === undefined ? this.#all.after(writes) : Math.max(same.after(writes), this.#anySubject.after(writes));
    (this.waves[wave] ??= []).push(index);
    same.note(writes, wave);
    this.#all.note(writes, wave);
  }

  #of(subject: string): LastWaves {
    const known = this.#bySubject.get(subject) ?? new LastWaves();
    this.#bySubject.set(subject, known);
    return known;
  }
}
