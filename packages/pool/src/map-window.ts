import { AsyncResource } from 'node:async_hooks';
import { MapSource } from './map-source.ts';

/** What the function of a concurrent map is told about the item. */
export interface ItemContext {
  /** The item's position in the input, from 0. */
  readonly index: number;
  /** Aborts when the iteration ends before its time. */
  readonly signal: AbortSignal;
}

/** What a concurrent map goes by. */
export interface MapSettings<T, R> {
  readonly fn: (item: T, context: ItemContext) => R | PromiseLike<R>;
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly signal: AbortSignal | undefined;
}

/** A call that was started: in order, it has a place before it has a result. */
interface Entry {
  state: 'running' | 'fulfilled' | 'rejected';
  /** The result, or what was thrown. */
  value: unknown;
  next: Entry | undefined;
}

const NOTHING: Pick<Entry, 'state' | 'value'> = { state: 'running', value: undefined };

/** Somebody who asked for a result before there was one. */
interface Taker<R> {
  resolve(result: IteratorResult<R, undefined>): void;
  reject(error: unknown): void;
}

/**
 * A concurrent map between source and consumer: the calls under way, the results that were not taken yet, and those who wait for one.
 * It pulls from the source while it has room; taking a result makes room.
 *
 * Not an async generator: that costs several promises and turns of the microtask queue for each result.
 */
export class MapWindow<T, R> implements AsyncIterableIterator<R, undefined>, AsyncDisposable {
  /**
   * Never used: a full garbage collection that found no map under way would drop the shape of maps, and with it all code optimised for it.
   * Results would take three times as long until it is optimised again.
   */
  protected static readonly kept: MapWindow<unknown, unknown> = new MapWindow(new MapSource<unknown>([]), {
    fn: (item) => item,
    concurrency: 1,
    ordered: true,
    signal: undefined,
  });
  readonly #source: MapSource<T>;
  readonly #settings: MapSettings<T, R>;
  /** A call may be started by the end of another one, or by a consumer elsewhere: it still runs in the context of the call of the map. */
  readonly #context = new AsyncResource('perf.mapConcurrent');
  readonly #controller = new AbortController();
  readonly #takers: Taker<R>[] = [];
  /** In order: every entry not taken, as started. As ready: those with an outcome, as they came. */
  #first: Entry | undefined;
  #last: Entry | undefined;
  /** Calls under way and results not taken. */
  #outstanding = 0;
  #running = 0;
  #index = 0;
  #started = false;
  /** Nothing is pulled any more: a call failed, or the consumer left. */
  #stopped = false;
  /** No result comes out any more. */
  #ended = false;
  /** Its signal aborted: nobody waits for what runs. */
  #aborted = false;
  /** The reason of the abort, until somebody was told. */
  #untold: { readonly reason: unknown } | undefined;
  #onIdle: (() => void) | undefined;
  #onAbort: (() => void) | undefined;

  constructor(source: MapSource<T>, settings: MapSettings<T, R>) {
    this.#source = source;
    this.#settings = settings;
  }

  /** The next result. Rejects with the error of a call or of the source, or with the reason of an abort. */
  next(): Promise<IteratorResult<R, undefined>> {
    if (!this.#started) this.#start();
    const { value, state } = this.#first ?? NOTHING;
    if (state === 'fulfilled' && this.#takers.length === 0 && !this.#ended) {
      this.#dropFirst();
      this.#fill();
      return Promise.resolve({ done: false, value: value as R });
    }
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
      this.#fill();
      this.#deliver();
    });
  }

  /** Pulls no more, closes the source and waits for what runs. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#started = true;
    this.#untold = undefined;
    if (!this.#ended) await this.#end({ failed: false });
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Called by the signal: it is its own listener. */
  handleEvent(): void {
    this.#aborted = true;
    // It may be what ends the wait for calls that do not heed their signal, or for a source that does not close.
    if (this.#ended) this.#onAbort?.();
    else this.#abort(this.#settings.signal?.reason);
  }

  #start(): void {
    this.#started = true;
    const { signal } = this.#settings;
    if (signal?.aborted === true) {
      this.#abort(signal.reason);
      return;
    }
    signal?.addEventListener('abort', this, { once: true });
    try {
      this.#source.open();
    } catch (error) {
      this.#sourceFailed(error);
    }
  }

  #abort(reason: unknown): void {
    this.#aborted = true;
    this.#untold = { reason };
    this.#controller.abort(reason);
    void this.#end({ failed: true });
  }

  #fill(): void {
    for (let item = this.#claim(); item !== undefined; item = this.#claim()) void this.#work(item.value);
  }

  /** The next item, if there is room for it and it is there now. */
  #claim(): { readonly value: T } | undefined {
    const source = this.#source;
    if (this.#stopped || source.exhausted || source.pulling || this.#outstanding >= this.#settings.concurrency) {
      return undefined;
    }
    try {
      const step = source.next();
      if (source.isAsync) void this.#await(step);
      else return this.#accept(step as IteratorResult<T>);
    } catch (error) {
      this.#sourceFailed(error);
    }
    return undefined;
  }

  async #await(step: IteratorResult<T> | Promise<IteratorResult<T>>): Promise<void> {
    this.#source.pulling = true;
    try {
      const result = await step;
      this.#source.pulling = false;
      // An item that arrives after the end is dropped: nobody waits for it.
      const item = this.#stopped ? undefined : this.#accept(result);
      if (item !== undefined) void this.#work(item.value);
    } catch (error) {
      this.#source.pulling = false;
      this.#sourceFailed(error);
    }
    this.#fill();
    this.#deliver();
  }

  #accept(step: IteratorResult<T>): { readonly value: T } | undefined {
    if (typeof step !== 'object' || step === null)
      throw new TypeError(`the source answered ${String(step)}, no result`);
    if (step.done) {
      this.#source.exhausted = true;
      return undefined;
    }
    const item = { value: step.value };
    this.#outstanding++;
    return item;
  }

  /** Calls the function for an item, and then for those there is room for when it is done. */
  async #work(item: T): Promise<void> {
    const { fn, ordered } = this.#settings;
    this.#running++;
    for (let step: { readonly value: T } | undefined = { value: item }; step !== undefined; step = this.#claim()) {
      const entry: Entry = { state: 'running', value: undefined, next: undefined };
      if (ordered) this.#append(entry);
      try {
        const context = { index: this.#index++, signal: this.#controller.signal };
        entry.value = await this.#context.runInAsyncScope(fn, undefined, step.value, context);
        entry.state = 'fulfilled';
      } catch (error) {
        entry.value = error;
        entry.state = 'rejected';
        this.#stopped = true;
      }
      if (!ordered) this.#append(entry);
      this.#deliver();
    }
    this.#running--;
    if (this.#running === 0) this.#onIdle?.();
    this.#deliver();
  }

  #append(entry: Entry): void {
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
  }

  #dropFirst(): void {
    this.#first = this.#first?.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#outstanding--;
  }

  #sourceFailed(error: unknown): void {
    this.#source.exhausted = true;
    if (this.#stopped) return;
    this.#outstanding++;
    this.#append({ state: 'rejected', value: error, next: undefined });
  }

  /** Gives those who wait what there is for them. */
  #deliver(): void {
    while (this.#takers.length > 0 && !this.#ended) {
      const { state, value } = this.#first ?? NOTHING;
      if (state === 'fulfilled') {
        this.#dropFirst();
        this.#takers.shift()?.resolve({ done: false, value: value as R });
      } else if (state === 'rejected') void this.#fail(value);
      else if (this.#source.exhausted && this.#outstanding === 0) void this.#end({ failed: true });
      else return;
    }
    if (this.#ended) this.#dismiss();
  }

  /** An error reaches the one who asked when everything has ended. */
  async #fail(error: unknown): Promise<void> {
    const taker = this.#takers.shift();
    await this.#end({ failed: true });
    taker?.reject(error);
  }

  /** @param options.failed whether an error is under way already, which one of closing the source must not replace */
  async #end({ failed }: { readonly failed: boolean }): Promise<void> {
    this.#ended = this.#stopped = true;
    this.#controller.abort();
    const closed = this.#source.close();
    this.#dismiss();
    const problem = this.#aborted ? undefined : await this.#rest(closed);
    this.#settings.signal?.removeEventListener('abort', this);
    if (problem !== undefined && !failed && !this.#aborted) throw problem.error;
  }

  /** Waits for the calls under way and for the source, unless there is an abort meanwhile. */
  async #rest<P>(closed: Promise<P>): Promise<P | undefined> {
    const aborted = new Promise<undefined>((resolve) => (this.#onAbort = () => resolve(undefined)));
    if (this.#running > 0) await Promise.race([aborted, new Promise<void>((resolve) => (this.#onIdle = resolve))]);
    return Promise.race([aborted, closed]);
  }

  /** There is nothing more for those who wait; an abort is told to the first of them. */
  #dismiss(): void {
    for (let taker = this.#takers.shift(); taker; taker = this.#takers.shift()) {
      if (this.#untold === undefined) taker.resolve({ done: true, value: undefined });
      else taker.reject(this.#untold.reason);
      this.#untold = undefined;
    }
  }
}
