import type { Link } from './linked-queue.ts';

/** One batch of a {@link DataLoader}: parallel arrays, so that a load costs its promise and little else. */
export class LoaderBatch<K, V, C> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly keys: K[] = [];
  readonly cacheKeys: C[] = [];
  readonly promises: Promise<V>[] = [];
  /** Whether it takes no more keys: it is being loaded, or over. */
  closed = false;
  settled = false;
  readonly #resolve: ((value: V) => void)[] = [];
  readonly #reject: ((error: unknown) => void)[] = [];
  readonly #hits: (() => void)[] = [];
  /** The promises of this batch, once somebody asked for them. */
  #own: Set<unknown> | undefined = undefined;

  /** @param cacheKey unused by a loader without a cache */
  add(key: K, cacheKey: C): Promise<V> {
    const promise = new Promise<V>((resolve, reject) => {
      this.#resolve.push(resolve);
      this.#reject.push(reject);
    });
    this.keys.push(key);
    this.cacheKeys.push(cacheKey);
    this.promises.push(promise);
    this.#own?.add(promise);
    return promise;
  }

  /** Whether `promise` is one of this batch; O(1), but for the first call. */
  owns(promise: unknown): boolean {
    this.#own ??= new Set(this.promises);
    return this.#own.has(promise);
  }

  /** A promise like `cached` that waits for this batch, so that what follows on hits and on loads can go in one batch again. */
  addHit(cached: PromiseLike<V> | V): Promise<V> {
    return new Promise((resolve) => {
      this.#hits.push(() => resolve(cached));
    });
  }

  resolveHits(): void {
    for (const resolve of this.#hits) resolve();
  }

  resolve(index: number, value: V): void {
    this.#resolve[index]?.(value);
  }

  reject(index: number, error: unknown): void {
    this.#reject[index]?.(error);
  }
}
