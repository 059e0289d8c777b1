/** Tasks that can be on their way to one worker and back; a power of two. */
export const CELLS = 1_024;

/** What is known of a task that was sent to a thread. It only moves down this list. */
export const STATE = {
  /** Sent. The worker may start it, the pool may take it back: whoever is first to change this, has it. */
  pending: 0,
  started: 1,
  /** The pool took it back, and the worker has not come by yet. */
  revoked: 2,
  /** The worker came by and left it alone. */
  skipped: 3,
  /** It is done; what came of it is said by the state itself, or lies beside it. */
  number: 4,
  undefined: 5,
  null: 6,
  true: 7,
  false: 8,
  /** Its outcome is the next message on the port of outcomes. */
  posted: 9,
  /** Its outcome is in the message that rings. */
  rung: 10,
} as const;

/**
 * What the pool and one of its threads know of the tasks between them, in memory that both share: who may start a task is decided by one atomic exchange,
 * and what came of it is written as soon as it is done, so that nothing that was done is lost with the thread, however it ends.
 *
 * Tasks are numbered by sequence; a cell serves a task once the one before it in the same cell was taken note of.
 */
export class TaskCells {
  readonly memory: SharedArrayBuffer;
  readonly #states: Int32Array;
  readonly #doorbell: Int32Array;
  readonly #startedAt: Float64Array;
  readonly #endedAt: Float64Array;
  readonly #numbers: Float64Array;
  readonly #facts: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(CELLS * 28 + 24)) {
    this.memory = memory;
    this.#startedAt = new Float64Array(memory, 0, CELLS);
    this.#endedAt = new Float64Array(memory, CELLS * 8, CELLS);
    this.#numbers = new Float64Array(memory, CELLS * 16, CELLS);
    this.#facts = new Float64Array(memory, CELLS * 24, 2);
    this.#doorbell = new Int32Array(memory, CELLS * 24 + 16, 2);
    this.#states = new Int32Array(memory, CELLS * 24 + 24, CELLS);
  }

  /** For the pool: readies the cell of a task that is about to be sent. */
  reset(sequence: number): void {
    Atomics.store(this.#states, sequence & (CELLS - 1), STATE.pending);
  }

  state(sequence: number): number {
    return Atomics.load(this.#states, sequence & (CELLS - 1));
  }

  /** For the pool: takes a task back; `false` when the worker was faster. */
  revoke(sequence: number): boolean {
    return this.#leavePending(sequence, STATE.revoked);
  }

  /** For the worker: takes a task to run it; `false` when the pool took it back. */
  start(sequence: number, now: number): boolean {
    const cell = sequence & (CELLS - 1);
    this.#startedAt[cell] = now;
    if (this.#leavePending(sequence, STATE.started)) return true;
    Atomics.store(this.#states, cell, STATE.skipped);
    return false;
  }

  #leavePending(sequence: number, state: number): boolean {
    const was = Atomics.compareExchange(this.#states, sequence & (CELLS - 1), STATE.pending, state);
    return was === STATE.pending;
  }

  /** For the worker: the task's own time starts now, after its module was loaded. */
  restart(sequence: number, now: number): void {
    this.#startedAt[sequence & (CELLS - 1)] = now;
  }

  /** For the worker: notes that a task is done. What it wrote before is seen by whoever sees the state. */
  end(sequence: number, state: number, now: number): void {
    const cell = sequence & (CELLS - 1);
    this.#endedAt[cell] = now;
    Atomics.store(this.#states, cell, state);
  }

  /** For the worker: like {@link TaskCells.end}, of a task that returned a number. */
  endWithNumber(sequence: number, value: number, now: number): void {
    this.#numbers[sequence & (CELLS - 1)] = value;
    this.end(sequence, STATE.number, now);
  }

  startedAt(sequence: number): number {
    return this.#startedAt[sequence & (CELLS - 1)] as number;
  }

  endedAt(sequence: number): number {
    return this.#endedAt[sequence & (CELLS - 1)] as number;
  }

  number(sequence: number): number {
    return this.#numbers[sequence & (CELLS - 1)] as number;
  }

  /** Bytes of heap the worker used when it was last asked. */
  get heap(): number {
    return this.#facts[0] as number;
  }

  set heap(bytes: number) {
    this.#facts[0] = bytes;
  }

  /** The worker's {@link clockOffset}: its times are by its own clock. */
  get clock(): number {
    return this.#facts[1] as number;
  }

  set clock(offset: number) {
    this.#facts[1] = offset;
  }

  /** For the pool: says that a message was posted, to a worker that may wait for just that. */
  knock(): void {
    Atomics.add(this.#doorbell, 0, 1);
    if (Atomics.load(this.#doorbell, 1) === 1) Atomics.notify(this.#doorbell, 0, 1);
  }

  /** For the worker: to be asked before it looks for a message, and given to {@link TaskCells.waitForKnock} when there is none. */
  get knocks(): number {
    return Atomics.load(this.#doorbell, 0);
  }

  /** For the worker: blocks until a knock after `knocks` were counted, or `timeout` milliseconds. Tells whether there was one. */
  waitForKnock(knocks: number, timeout: number): boolean {
    Atomics.store(this.#doorbell, 1, 1);
    const outcome = Atomics.wait(this.#doorbell, 0, knocks, timeout);
    Atomics.store(this.#doorbell, 1, 0);
    return outcome !== 'timed-out';
  }
}

/** Milliseconds between the clock that all threads share and this thread's `performance.now()`. */
export function clockOffset(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}
