import { AsyncResource } from 'node:async_hooks';
import { isPromiseLike, startTimer } from '@perf/core';
import type { BatchLoadFn, DataLoaderSettings } from './data-loader-options.ts';
import { BatchTimeoutError } from './errors.ts';
import { LinkedQueue } from './linked-queue.ts';
import type { AbortableLoad } from './loader-abortable-load.ts';
import { LoaderAborts } from './loader-aborts.ts';
import { noPromise, threwSynchronously } from './loader-answer.ts';
import { LoaderBatch } from './loader-batch.ts';
import type { LoaderCache } from './loader-cache.ts';
import { LoaderCall } from './loader-call.ts';
import { LoaderCounts } from './loader-counts.ts';
import { LoaderOutcomes } from './loader-outcomes.ts';
import { type LoaderTelemetry, loaderTelemetry } from './loader-telemetry.ts';
import { atTickEnd } from './tick-end.ts';

/** What a {@link LoaderDispatcher} needs of its loader. */
export interface LoaderParts<K, V, C> {
  readonly settings: DataLoaderSettings<K, V, C>;
  /** Absent when nothing is to be cached. */
  readonly cache: LoaderCache<V, C> | undefined;
  /** Names it in errors, metrics and spans. */
  readonly label: string;
  /** What callbacks see as `this`. */
  readonly loader: object;
  readonly batchLoadFn: BatchLoadFn<K, V>;
}

/** Opens batches, loads them when they are due and a slot is free, and counts. */
export class LoaderDispatcher<K, V, C> {
  readonly counts: LoaderCounts = new LoaderCounts();
  readonly telemetry: LoaderTelemetry = loaderTelemetry();
  /** The batch that takes keys, unless it is full. */
  #open: LoaderBatch<K, V, C> | undefined = undefined;
  readonly #outcomes: LoaderOutcomes<K, V, C>;
  readonly #parts: LoaderParts<K, V, C>;
  readonly #maxBatchSize: number;
  readonly #withCacheKeys: boolean;
  readonly #maxConcurrency: number;
  /** The batches that wait for a slot. Made when the first has to. */
  #due: LinkedQueue<LoaderBatch<K, V, C>> | undefined = undefined;
  /**
   * The async context the loader was made in, to call the batch function in. A resource, as that costs a hundredth of `AsyncLocalStorage.snapshot()`:
   * services make loaders for each request.
   */
  #context: AsyncResource | undefined = new AsyncResource('PerfDataLoader', { requireManualDestroy: true });
  #toCountHits = false;

  constructor(parts: LoaderParts<K, V, C>) {
    this.#parts = parts;
    this.#outcomes = new LoaderOutcomes(parts.cache, this.counts);
    const { maxBatchSize, maxConcurrency, cacheMap, cacheKeyFn } = parts.settings;
    this.#maxBatchSize = maxBatchSize;
    this.#maxConcurrency = maxConcurrency;
    this.#withCacheKeys = cacheMap !== null && cacheKeyFn !== undefined;
  }

  get open(): LoaderBatch<K, V, C> | undefined {
    return this.#open;
  }

  /** Set once a load has been made that can be aborted. */
  get aborts(): LoaderAborts<K, V, C> | undefined {
    return this.#outcomes.aborts;
  }

  needAborts(): LoaderAborts<K, V, C> {
    return (this.#outcomes.aborts ??= new LoaderAborts((load, reason) => this.#desert(load, reason)));
  }

  /** The batch to add to. When it is not `scheduled`, `schedule` must follow: a scheduler may call back at once. */
  current(): LoaderBatch<K, V, C> {
    const open = this.#open;
    if (open !== undefined && open.size < this.#maxBatchSize) return open;
    return (this.#open = new LoaderBatch(this.#withCacheKeys, this.telemetry.tracing));
  }

  schedule(batch: LoaderBatch<K, V, C>): void {
    batch.scheduled = true;
    if (this.#parts.settings.batchScheduleFn === atTickEnd) atTickEnd(() => this.#enqueue(batch));
    else this.#scheduleBy(batch);
  }

  /** Has the program say when the batch is due. */
  #scheduleBy(batch: LoaderBatch<K, V, C>): void {
    const { loader, settings } = this.#parts;
    const { batchScheduleFn } = settings;
    // Forgotten when it is due: a scheduler may keep the callback.
    let waiting: LoaderBatch<K, V, C> | undefined = batch;
    try {
      batchScheduleFn.call(loader, () => {
        const due = waiting;
        waiting = undefined;
        if (due !== undefined) this.#enqueue(due);
      });
    } catch (error) {
      if (waiting === undefined) return;
      // Nothing would load it any more.
      waiting = undefined;
      this.#close(batch);
      this.#outcomes.fail(batch, error);
    }
  }

  /** Makes it an example of what loaders look like at work, that holds on to nothing: its context was that of some request. */
  pose(): void {
    this.current().call = new LoaderCall();
    this.#context = undefined;
  }

  /** A hit that opened no batch is counted at the end of the tick, if somebody listens. */
  countHit(): void {
    if (this.#toCountHits || !this.telemetry.metering) return;
    this.#toCountHits = true;
    atTickEnd(() => {
      this.#toCountHits = false;
      this.telemetry.count(this.#parts.label, this.counts);
    });
  }

  #enqueue(batch: LoaderBatch<K, V, C>): void {
    if (batch.size === 0) {
      this.#close(batch);
      batch.succeed([], false);
      this.telemetry.count(this.#parts.label, this.counts);
      return;
    }
    if (this.counts.inFlight < this.#maxConcurrency && this.#due === undefined) {
      this.#start(batch);
      return;
    }
    batch.queued = true;
    this.#due ??= new LinkedQueue();
    this.#due.push(batch);
    this.#report(batch, batch.size);
    this.#startDue();
  }

  #startDue(): void {
    while (this.#due !== undefined && this.counts.inFlight < this.#maxConcurrency) {
      const batch = this.#due.shift();
      if (batch !== undefined) this.#start(batch);
      else this.#due = undefined;
    }
  }

  #close(batch: LoaderBatch<K, V, C>): void {
    batch.queued = false;
    if (this.#open === batch) this.#open = undefined;
  }

  #start(batch: LoaderBatch<K, V, C>): void {
    this.#close(batch);
    this.counts.inFlight++;
    this.counts.batches++;
    batch.closeGaps();
    batch.call = new LoaderCall();
    const watched = this.telemetry.active;
    if (watched) this.#report(batch, batch.size);
    const load = (): Promise<unknown> => (watched ? this.#loadWatched(batch) : this.#load(batch));
    const answer = this.#context === undefined ? load() : this.#context.runInAsyncScope(load);
    answer.then(
      (values) => {
        if (!batch.settled) this.#outcomes.deliver(batch, values);
        this.#end(batch);
      },
      (error: unknown) => {
        if (!batch.settled) this.#outcomes.fail(batch, error);
        this.#end(batch);
      },
    );
  }

  #loadWatched(batch: LoaderBatch<K, V, C>): Promise<unknown> {
    const { size, callers } = batch;
    return this.telemetry.batch({ name: this.#parts.label, size, callers }, () => this.#load(batch));
  }

  /** Calls the batch function. Rejects when it does not give a promise, or when its time is up. */
  #load({ keys, call }: LoaderBatch<K, V, C>): Promise<unknown> {
    let answer: Promise<unknown>;
    try {
      const { loader, batchLoadFn } = this.#parts;
      const given: unknown = batchLoadFn.call(loader, Object.freeze(keys) as K[], call as LoaderCall);
      if (!isPromiseLike(given)) return Promise.reject(noPromise(given));
      answer = Promise.resolve(given);
    } catch (error) {
      return Promise.reject(threwSynchronously(error));
    }
    const { timeout } = this.#parts.settings;
    if (timeout === Infinity) return answer;
    return new Promise((resolve, reject) => {
      const timer = startTimer(() => {
        const error = new BatchTimeoutError({ group: this.#parts.label, size: keys.length, attempt: 1 }, timeout);
        // Before the abort: what the batch function throws on it must not win over the reason.
        reject(error);
        LoaderCall.abort(call as LoaderCall, error);
      }, timeout);
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #end(batch: LoaderBatch<K, V, C>): void {
    this.counts.inFlight--;
    if (batch.reported > 0) this.#report(batch, 0);
    this.telemetry.count(this.#parts.label, this.counts);
    // Not at once: what the callers load next is to go along.
    if (this.#due !== undefined) atTickEnd(() => this.#startDue());
  }

  /** Nobody waits for `load` any more. */
  #desert(load: AbortableLoad<K, V, C>, reason: unknown): void {
    const { batch } = load;
    if (batch.call !== undefined) {
      if (--batch.size === 0) this.#outcomes.abandon(batch, reason);
      return;
    }
    this.counts.withdrawn++;
    this.#parts.cache?.evict(load.cacheKey, load.promise);
    batch.remove(load.promise);
    this.#outcomes.reject(load, reason);
    if (!batch.queued) return;
    this.#report(batch, batch.size);
    if (batch.size > 0) return;
    // Its hits need no slot.
    this.#due?.remove(batch);
    this.#close(batch);
    batch.succeed([], false);
  }

  #report(batch: LoaderBatch<K, V, C>, pending: number): void {
    batch.reported = this.telemetry.countPending(this.#parts.label, pending, batch.reported);
  }
}
