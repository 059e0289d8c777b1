/**
 * The search for the operations that make a batch fail as a whole: halves are sent one after the other, in order, and those that fail are halved
 * again. One at a time, so that operations of one key keep their order, wherever the cut falls.
 *
 * One bad operation among n takes at most 2 log2(n) calls, k of them 2k log2(n). Where everything fails it is the store that is ill: after
 * 2 log2(n) + 2 calls that failed in a row nothing is halved any more, and the log2(n) parts or so that are left are sent once each.
 */
export class Bisection<Part> {
  readonly #limit: number;
  #failedInRow = 0;
  /** What parts sent so far held, for their owner to note. */
  readonly sent: Set<unknown> = new Set();
  /** The next one is the last. */
  readonly #parts: Part[] = [];

  /** @param size how many operations the batch had */
  constructor(size: number) {
    this.#limit = 2 * Math.ceil(Math.log2(size)) + 2;
  }

  /** A part was answered. */
  answered(): void {
    this.#failedInRow = 0;
  }

  /** A part failed as a whole. Returns whether it may be halved. */
  failed(): boolean {
    return ++this.#failedInRow <= this.#limit;
  }

  /** Puts the parts of one before everything else. */
  put(parts: readonly Part[]): void {
    for (const part of parts.toReversed()) this.#parts.push(part);
  }

  next(): Part | undefined {
    return this.#parts.pop();
  }
}

/** Two halves in order, or the one that there is. */
export function halvesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items];
  const middle = items.length >> 1;
  return [items.slice(0, middle), items.slice(middle)];
}
