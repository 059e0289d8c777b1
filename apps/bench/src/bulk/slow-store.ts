/** Milliseconds of one call, and of each operation in it. */
const CALL = 1;
const OPERATION = 0.1;
/** Calls the store takes at a time; more of them queue up there. */
export const PARALLEL = 5;

interface Call {
  readonly due: number;
  readonly done: () => void;
}

/**
 * A store with a batch call that takes 1 ms and 0.1 ms for each operation, five calls at a time. Timers of Node are exact to a millisecond only, which
 * is the length of a whole call, so the end of a call is watched for.
 */
export class SlowStore {
  readonly #running: Call[] = [];
  readonly #waiting: { readonly size: number; readonly done: () => void }[] = [];
  #watching = false;
  /** Calls so far. */
  calls = 0;

  /** Resolves when a call with `size` operations is done. */
  call(size: number): Promise<void> {
    this.calls++;
    return new Promise((done) => {
      this.#waiting.push({ size, done });
      this.#start();
    });
  }

  #start(): void {
    while (this.#running.length < PARALLEL) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#running.push({ due: performance.now() + CALL + OPERATION * next.size, done: next.done });
    }
    if (this.#watching || this.#running.length === 0) return;
    this.#watching = true;
    setImmediate(() => this.#look());
  }

  #look(): void {
    this.#watching = false;
    const now = performance.now();
    for (let index = this.#running.length - 1; index >= 0; index--) {
      const call = this.#running[index] as Call;
      if (call.due > now) continue;
      this.#running.splice(index, 1);
      call.done();
    }
    this.#start();
  }
}
