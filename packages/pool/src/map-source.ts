/** Where a concurrent map gets its items from: an iterable or an async iterable, opened when the first one is asked for. */
export class MapSource<T> {
  readonly #items: Iterable<T> | AsyncIterable<T>;
  #iterator: Iterator<T> | AsyncIterator<T> | undefined;
  /** Whether it answers with promises. Known once it was opened. */
  isAsync = false;
  /** An item was asked for and has not come yet. */
  pulling = false;
  /** It has nothing more: it ended or threw. */
  exhausted = false;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.#items = items;
  }

  open(): void {
    const { [Symbol.asyncIterator]: async } = this.#items as Partial<AsyncIterable<T>>;
    this.isAsync = typeof async === 'function';
    if (this.isAsync) this.#iterator = (this.#items as AsyncIterable<T>)[Symbol.asyncIterator]();
    else this.#iterator = (this.#items as Iterable<T>)[Symbol.iterator]();
  }

  next(): IteratorResult<T> | Promise<IteratorResult<T>> {
    return (this.#iterator as Iterator<T> | AsyncIterator<T>).next();
  }

  /** Tells an open source that no more is asked for. Resolves with what it threw, if it did. */
  async close(): Promise<{ readonly error: unknown } | undefined> {
    if (this.#iterator === undefined || this.exhausted) return undefined;
    this.exhausted = true;
    try {
      const closed = this.#iterator.return?.();
      // A generator that waits for something answers `return` only after that: it may never come.
      if (!this.pulling) await closed;
      else Promise.resolve(closed).catch(() => {});
      return undefined;
    } catch (error) {
      return { error };
    }
  }
}
