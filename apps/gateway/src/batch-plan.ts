/** What the plan needs to know of a call. */
export interface PlannedCall {
  readonly server: string;
  /** Whether it may change the server's state. */
  readonly writes: boolean;
  /** What it works on; calls that name different things do not affect each other. Absent: anything. */
  readonly subject: string | undefined;
}

/**
 * Cuts the calls of a batch into waves, as lists of indexes: what stands in one wave may run side by side (calls with the same
 * subject in their order), and each wave starts when the one before has ended. The outcome is that of running the calls one after
 * the other, as far as subjects are true. Calls to different servers never wait for each other: each server has its own list of waves.
 */
export function planBatch(calls: readonly PlannedCall[]): Map<string, number[][]> {
  const waves = new Map<string, Wave[]>();
  for (const [index, call] of calls.entries()) {
    const mine = waves.get(call.server) ?? [];
    waves.set(call.server, mine);
    const last = mine.at(-1);
    if (last?.admits(call) === true) last.add(index, call);
    else mine.push(new Wave(index, call));
  }
  return new Map([...waves].map(([server, mine]) => [server, mine.map((wave) => wave.indexes)]));
}

/** Two calls conflict when one of them writes and one of them may touch anything. */
class Wave {
  readonly indexes: number[] = [];
  #hasWrite = false;
  #hasAnySubject = false;
  #hasWriteOfAnySubject = false;

  constructor(index: number, call: PlannedCall) {
    this.add(index, call);
  }

  admits({ writes, subject }: PlannedCall): boolean {
    if (subject === undefined) return !writes && !this.#hasWrite;
    return writes ? !this.#hasAnySubject : !this.#hasWriteOfAnySubject;
  }

  add(index: number, { writes, subject }: PlannedCall): void {
    this.indexes.push(index);
    this.#hasWrite ||= writes;
    this.#hasAnySubject ||= subject === undefined;
    this.#hasWriteOfAnySubject ||= writes && subject === undefined;
  }
}
