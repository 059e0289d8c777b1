import type { Link as SpanLink } from '@opentelemetry/api';
import { isError } from './is-error.ts';
import type { Link } from './linked-queue.ts';
import type { LoaderCall } from './loader-call.ts';

/** How many keys may have left before the batch is tidied up. */
const TOLERATED_GAPS = 32;

/**
 * One batch of a {@link DataLoader}, from its first load until it has settled.
 *
 * Most loads can't be aborted. Their promises all hang on one gate, in the order of their keys, and each takes its outcome when the gate opens:
 * promise jobs run in the order they were registered. So a load costs one promise, with neither closures nor resolving functions of its own. Loads that
 * can be aborted settle by themselves, see {@link AbortableLoad}. Hits hang on the gate too.
 */
export class LoaderBatch<K, V, C> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  /** Frozen once they are being loaded. */
  keys: K[] = [];
  /** The promises of the keys. Empty once it has settled, like `keys`. */
  promises: Promise<V>[] = [];
  /** What the keys are cached under; absent when that is themselves. */
  cacheKeys: C[] | undefined;
  /** The spans its loads were made in; absent while nobody traces. */
  readonly callers: Map<string, SpanLink> | undefined;
  /** How many of its keys somebody waits for. */
  size = 0;
  /** Whether somebody will call when it is due. */
  scheduled = false;
  /** Whether it is due and waits for a slot. */
  queued = false;
  /** Set once it is being loaded: it takes no more keys, and none leaves. */
  call: LoaderCall | undefined = undefined;
  /** Whether everybody has an answer. */
  settled = false;
  /** How many of its keys telemetry counts as pending. */
  reported = 0;
  readonly #gate: Promise<void>;
  readonly #take: () => V;
  #open!: () => void;
  #outcomes: readonly (V | Error)[] = [];
  #taken = 0;
  #hasErrors = false;
  #failure: { readonly error: unknown } | undefined = undefined;
  /** What loads of cached promises get in this batch: its own promises as they are, for others one that waits for the gate. Made when a second is needed. */
  #views: Map<unknown, Promise<V>> | undefined = undefined;
  /** The first that was no promise of its own, and what that gets: many batches have one hit and nothing else. */
  #firstHit: unknown = undefined;
  #firstView: Promise<V> | undefined = undefined;
  /** How many of `promises` are in there. */
  #viewed = 0;
  /** The promises of keys that left. */
  #gaps: Set<Promise<V>> | undefined = undefined;

  constructor(withCacheKeys: boolean, traced: boolean) {
    this.cacheKeys = withCacheKeys ? [] : undefined;
    this.callers = traced ? new Map() : undefined;
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.#take = () => {
      if (this.#failure !== undefined) throw this.#failure.error;
      const outcome = this.#outcomes[this.#taken++] as V | Error;
      // See `#empty`.
      if (this.#taken === this.#outcomes.length) this.#outcomes = [];
      if (this.#hasErrors && isError(outcome)) throw outcome;
      return outcome as V;
    };
  }

  /** A load that can't be aborted. */
  add(key: K, cacheKey: C): Promise<V> {
    const promise = this.#gate.then(this.#take);
    this.addOwn(key, cacheKey, promise);
    return promise;
  }

  /** A load that settles by itself, and may be removed. */
  addOwn(key: K, cacheKey: C, promise: Promise<V>): void {
    this.keys.push(key);
    if (this.cacheKeys !== undefined) this.cacheKeys.push(cacheKey);
    this.promises.push(promise);
    this.size++;
  }

  cacheKeyAt(index: number): C {
    return (this.cacheKeys ?? (this.keys as unknown[] as C[]))[index] as C;
  }

  /** What an earlier load of `cached` got in this batch. O(1), and once more for each key. */
  findView(cached: unknown): Promise<V> | undefined {
    if (cached === this.#firstHit) return this.#firstView;
    if (this.#viewed === this.promises.length) return this.#views?.get(cached);
    const views = (this.#views ??= new Map());
    while (this.#viewed < this.promises.length) {
      const promise = this.promises[this.#viewed++] as Promise<V>;
      views.set(promise, promise);
    }
    return views.get(cached);
  }

  /** A promise like `cached` that waits for this batch, so that what follows on hits and on misses can go in one batch again. */
  addView(cached: PromiseLike<V> | V): Promise<V> {
    const view = this.#gate.then(() => cached);
    if (this.#firstView === undefined) {
      this.#firstHit = cached;
      this.#firstView = view;
    } else {
      (this.#views ??= new Map()).set(cached, view);
    }
    return view;
  }

  /** The key of this promise leaves; it was added with `addOwn`, and is not being loaded. */
  remove(promise: Promise<V>): void {
    this.size--;
    this.#gaps ??= new Set();
    this.#gaps.add(promise);
    // A batch may wait for a slot for long, while callers come and go.
    if (this.#gaps.size > TOLERATED_GAPS && this.#gaps.size > this.size) this.closeGaps();
  }

  closeGaps(): void {
    const gaps = this.#gaps;
    if (gaps === undefined) return;
    this.#gaps = undefined;
    let kept = 0;
    for (const [index, promise] of this.promises.entries()) {
      if (gaps.has(promise)) continue;
      this.keys[kept] = this.keys[index] as K;
      if (this.cacheKeys !== undefined) this.cacheKeys[kept] = this.cacheKeys[index] as C;
      this.promises[kept++] = promise;
    }
    this.keys.length = this.promises.length = kept;
    this.#viewed = 0;
    if (this.cacheKeys !== undefined) this.cacheKeys.length = kept;
  }

  /** Opens the gate. `outcomes` are those of the loads made by `add`, in order. */
  succeed(outcomes: readonly (V | Error)[], hasErrors: boolean): void {
    this.#outcomes = outcomes;
    this.#hasErrors = hasErrors;
    this.#end();
  }

  /** Opens the gate. The loads made by `add` reject; hits do not depend on it. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#end();
  }

  #end(): void {
    this.settled = true;
    this.#open();
    this.#empty();
  }

  /**
   * The promise jobs of a batch outlive it for a while, in V8's old generation, and keep the batch: what that holds would go there too, and stay until a
   * full collection. Emptied, 12,000 batches of 1,000 promote 11 MB, else 711.
   */
  #empty(): void {
    this.#views = this.#firstHit = this.#firstView = undefined;
    this.keys = [];
    this.promises = [];
    this.cacheKeys = undefined;
  }
}
