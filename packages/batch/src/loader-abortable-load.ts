import type { LoaderBatch } from './loader-batch.ts';

/** A load of a key whose callers can all abort. It settles by itself, apart from the gate of its batch, so that it can leave. */
export class AbortableLoad<K, V, C> {
  readonly batch: LoaderBatch<K, V, C>;
  readonly cacheKey: C;
  readonly promise: Promise<V>;
  resolve!: (value: V) => void;
  reject!: (error: unknown) => void;
  /** How many callers wait that can abort. */
  #callers = 0;
  /** Whether a caller waits that can't; then the load stays whatever the others do. */
  #pinned = false;

  constructor(batch: LoaderBatch<K, V, C>, cacheKey: C) {
    this.batch = batch;
    this.cacheKey = cacheKey;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get wanted(): boolean {
    return this.#pinned || this.#callers > 0;
  }

  join(): void {
    this.#welcome();
    this.#callers++;
  }

  leave(): void {
    this.#callers--;
  }

  pin(): void {
    this.#welcome();
    this.#pinned = true;
  }

  /** Nobody waited for it while it was being loaded, and now somebody does again. */
  #welcome(): void {
    if (!this.wanted && this.batch.call !== undefined) this.batch.size++;
  }
}
