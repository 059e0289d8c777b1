/** Items that are sent to a worker together. */
export type Chunk<T> = readonly T[];

/** Cuts an iterable in chunks; `nextSize` is asked before each. */
export function* chunksOf<T>(items: Iterable<T>, nextSize: () => number): Generator<Chunk<T>, undefined, undefined> {
  let chunk: T[] = [];
  let size = nextSize();
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
    size = nextSize();
  }
  if (chunk.length > 0) yield chunk;
  return undefined;
}

/**
 * Cuts an async iterable in chunks. What has come is not kept waiting for what has not: when the next item is not there by the next turn of the
 * event loop, the chunk goes as it is.
 *
 * No generator, which could not be closed while it waits for an item that never comes.
 */
export class AsyncChunks<T> implements AsyncIterableIterator<Chunk<T>, undefined, undefined> {
  readonly #source: AsyncIterator<T>;
  readonly #nextSize: () => number;
  /** Asked for, and not there yet. */
  #pending: Promise<IteratorResult<T>> | undefined;
  #exhausted = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(items: AsyncIterable<T>, nextSize: () => number) {
    this.#source = items[Symbol.asyncIterator]();
    this.#nextSize = nextSize;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Chunk<T>, undefined>> {
    const chunk: T[] = [];
    const size = this.#exhausted ? 0 : this.#nextSize();
    while (chunk.length < size && !this.#exhausted) {
      const pending = (this.#pending ??= this.#ask());
      if (chunk.length > 0 && !(await isThereSoon(pending))) break;
      await this.#take(pending, chunk);
    }
    if (chunk.length > 0) return { done: false, value: chunk };
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Chunk<T>, undefined>> {
    if (!this.#exhausted) {
      this.#exhausted = true;
      const closed = Promise.resolve(this.#source.return?.());
      // A generator that waits for something answers only after that.
      if (this.#pending === undefined) await closed;
      else closed.catch(() => {});
    }
    return { done: true, value: undefined };
  }

  async #ask(): Promise<IteratorResult<T>> {
    return this.#source.next();
  }

  /** An error comes after the items before it. */
  async #take(pending: Promise<IteratorResult<T>>, chunk: T[]): Promise<void> {
    try {
      const step = await pending;
      if (step.done === true) this.#exhausted = true;
      else chunk.push(step.value);
    } catch (error) {
      this.#exhausted = true;
      this.#failure = { error };
    } finally {
      this.#pending = undefined;
    }
  }
}

function isThereSoon(pending: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const immediate = setImmediate(resolve, false);
    const settled = (): void => {
      clearImmediate(immediate);
      resolve(true);
    };
    pending.then(settled, settled);
  });
}
