import { nextChunkSize } from './chunk-size.ts';

/** What one answered chunk weighs in the mean: about the last five count. */
const WEIGHT = 0.3;

/** Chooses how many items go together, as the workers tell how long one takes. */
export class ChunkSizer {
  readonly #fixed: number | undefined;
  readonly #workers: number;
  #left: number | undefined;
  #perItem: number | undefined;
  #previous = 0;

  constructor(items: unknown, options: { readonly chunkSize: 'auto' | number; readonly workers: number }) {
    this.#fixed = options.chunkSize === 'auto' ? undefined : options.chunkSize;
    this.#workers = options.workers;
    this.#left = lengthOf(items);
  }

  next(): number {
    if (this.#fixed !== undefined) return this.#fixed;
    this.#previous = nextChunkSize({
      perItem: this.#perItem,
      previous: this.#previous,
      left: this.#left,
      workers: this.#workers,
    });
    if (this.#left !== undefined) this.#left = Math.max(0, this.#left - this.#previous);
    return this.#previous;
  }

  /** A chunk came back: `count` items took `elapsed` milliseconds. */
  learn(elapsed: number, count: number): void {
    if (count === 0) return;
    const perItem = elapsed / count;
    this.#perItem = this.#perItem === undefined ? perItem : this.#perItem + (perItem - this.#perItem) * WEIGHT;
  }
}

function lengthOf(items: unknown): number | undefined {
  const { length } = items as { readonly length?: unknown };
  return Array.isArray(items) || ArrayBuffer.isView(items) ? (length as number | undefined) : undefined;
}
