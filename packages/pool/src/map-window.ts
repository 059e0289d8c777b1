/** What the function of a concurrent map is told about the item. */
export interface ItemContext {
  /** The item's position in the input, from 0. */
  readonly index: number;
  /** Aborts when the iteration ends before its time. */
  readonly signal: AbortSignal;
}

/** A call that was started: in order, it has a place before it has a result. */
interface Entry<R> {
  outcome: { readonly value: R } | { readonly error: unknown } | undefined;
}

/**
 * The part of a concurrent map between source and consumer: the calls under way, and the results that were not taken yet.
 * It pulls from the source while it has room; taking a result makes room.
 */
export class MapWindow<T, R> {
  readonly #items: Iterable<T> | AsyncIterable<T>;
  readonly #call: (item: T, context: ItemContext) => Promise<R>;
  readonly #concurrency: number;
  readonly #ordered: boolean;
  readonly #controller = new AbortController();
  /** In order: every entry not taken, as started. As ready: those with an outcome, as they came. */
  readonly #entries: Entry<R>[] = [];
  readonly #running = new Set<Promise<void>>();
  #iterator: Iterator<T> | AsyncIterator<T> | undefined;
  #isAsync = false;
  #outstanding = 0;
  #index = 0;
  #pulling = false;
  /** The source has nothing more: it ended or threw. */
  #exhausted = false;
  /** Nothing is pulled any more: a call failed, or the consumer left. */
  #stopped = false;
  #aborted: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(
    items: Iterable<T> | AsyncIterable<T>,
    call: (item: T, context: ItemContext) => Promise<R>,
    options: { readonly concurrency: number; readonly ordered: boolean },
  ) {
    this.#items = items;
    this.#call = call;
    this.#concurrency = options.concurrency;
    this.#ordered = options.ordered;
  }

  /** The next result; `undefined` when there are no more. Rejects with the error of a call or of the source, or with the reason of an abort. */
  async take(): Promise<{ readonly value: R } | undefined> {
    this.#iterator ??= this.#open();
    for (;;) {
      if (this.#aborted !== undefined) throw this.#aborted.reason;
      const outcome = this.#entries[0]?.outcome;
      if (outcome !== undefined) {
        this.#entries.shift();
        this.#outstanding--;
        if ('error' in outcome) throw outcome.error;
        this.#pull();
        return outcome;
      }
      this.#pull();
      if (this.#exhausted && this.#outstanding === 0) return undefined;
      if (this.#entries[0]?.outcome === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends the wait of {@link take} at once. */
  abort(reason: unknown): void {
    this.#aborted = { reason };
    this.#controller.abort(reason);
    this.#notify();
  }

  /**
   * Pulls no more, closes the source and waits for what runs, unless it was aborted.
   * @param options.failed whether an error is under way already, which one of closing the source must not replace
   */
  async stop({ failed }: { readonly failed: boolean }): Promise<void> {
    this.#stopped = true;
    this.#controller.abort();
    const closed = this.#exhausted || this.#iterator === undefined ? undefined : this.#closeSource();
    if (this.#aborted !== undefined) return;
    await Promise.all(this.#running);
    const problem = await closed;
    if (problem !== undefined && !failed) throw problem.error;
  }

  #open(): Iterator<T> | AsyncIterator<T> {
    const items = this.#items as Partial<Iterable<T> & AsyncIterable<T>>;
    this.#isAsync = typeof items[Symbol.asyncIterator] === 'function';
    if (this.#isAsync) return (this.#items as AsyncIterable<T>)[Symbol.asyncIterator]();
    return (this.#items as Iterable<T>)[Symbol.iterator]();
  }

  #pull(): void {
    while (!this.#exhausted && !this.#stopped && !this.#pulling && this.#outstanding < this.#concurrency) {
      let step: IteratorResult<T> | Promise<IteratorResult<T>>;
      try {
        step = (this.#iterator as Iterator<T> | AsyncIterator<T>).next();
        if (!this.#isAsync) this.#accept(step as IteratorResult<T>);
      } catch (error) {
        this.#sourceFailed(error);
        return;
      }
      if (this.#isAsync) void this.#await(step);
    }
  }

  async #await(step: IteratorResult<T> | Promise<IteratorResult<T>>): Promise<void> {
    this.#pulling = true;
    try {
      const result = await step;
      this.#pulling = false;
      this.#accept(result);
    } catch (error) {
      this.#pulling = false;
      this.#sourceFailed(error);
    }
    this.#pull();
    this.#notify();
  }

  #accept(step: IteratorResult<T>): void {
    if (step.done === true) {
      this.#exhausted = true;
      return;
    }
    // An item that arrives after the end is dropped: nobody waits for it.
    if (this.#stopped) return;
    const entry: Entry<R> = { outcome: undefined };
    this.#outstanding++;
    if (this.#ordered) this.#entries.push(entry);
    const done = this.#finish(entry, this.#call(step.value, { index: this.#index++, signal: this.#controller.signal }));
    this.#running.add(done);
    void done.finally(() => this.#running.delete(done));
  }

  async #finish(entry: Entry<R>, result: Promise<R>): Promise<void> {
    try {
      entry.outcome = { value: await result };
    } catch (error) {
      entry.outcome = { error };
      this.#stopped = true;
    }
    if (!this.#ordered) this.#entries.push(entry);
    this.#notify();
  }

  #sourceFailed(error: unknown): void {
    this.#exhausted = true;
    if (this.#stopped) return;
    this.#outstanding++;
    this.#entries.push({ outcome: { error } });
  }

  async #closeSource(): Promise<{ readonly error: unknown } | undefined> {
    const iterator = this.#iterator as Iterator<T> | AsyncIterator<T>;
    try {
      const closed = iterator.return?.();
      // A generator that waits for something answers `return` only after that: it may never come.
      if (!this.#pulling) await closed;
      else Promise.resolve(closed).catch(() => {});
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
