import { AbortGroups } from '@perf/core';
import type { AbortableLoad } from './loader-abortable-load.ts';

/** One caller that waits until a load settles or its own signal aborts. */
interface Wait<K, V, C> {
  readonly signal: AbortSignal;
  readonly resolve: (value: V) => void;
  readonly reject: (reason: unknown) => void;
  /** All that wait for the same promise. */
  readonly waits: Set<Wait<K, V, C>>;
  /** What it keeps in its batch. */
  readonly load: AbortableLoad<K, V, C> | undefined;
}

/** Who waits with which signal, and for which loads that matters. */
export class LoaderAborts<K, V, C> {
  readonly #onDeserted: (load: AbortableLoad<K, V, C>, reason: unknown) => void;
  /** The unsettled loads that can be aborted, by their promises. */
  readonly #loads = new Map<unknown, AbortableLoad<K, V, C>>();
  /** One entry for each promise somebody waits for, however many come and go before it settles. */
  readonly #waits = new Map<Promise<V>, Set<Wait<K, V, C>>>();
  readonly #signals = new AbortGroups<Wait<K, V, C>>((waits, reason) => {
    // All of them have their answer before a batch function hears of it.
    for (const wait of waits) {
      wait.waits.delete(wait);
      wait.reject(reason);
    }
    for (const { load } of waits) if (load !== undefined) this.#leave(load, reason);
  });

  /** @param onDeserted the last caller of a load has aborted */
  constructor(onDeserted: (load: AbortableLoad<K, V, C>, reason: unknown) => void) {
    this.#onDeserted = onDeserted;
  }

  add(load: AbortableLoad<K, V, C>): void {
    this.#loads.set(load.promise, load);
  }

  /** It has settled, or left its batch. */
  delete(load: AbortableLoad<K, V, C>): void {
    this.#loads.delete(load.promise);
  }

  /** The unsettled load of this promise, if it can be aborted. */
  find(promise: unknown): AbortableLoad<K, V, C> | undefined {
    return this.#loads.size === 0 ? undefined : this.#loads.get(promise);
  }

  /** Somebody waits for this promise, and can't abort. */
  pin(promise: unknown): void {
    this.find(promise)?.pin();
  }

  /** `promise`, for a caller that can abort. `source` is the cached promise it stands for. */
  wait(promise: Promise<V>, source: unknown, signal: AbortSignal): Promise<V> {
    const load = this.find(source);
    load?.join();
    // A callback of the loader may have aborted it since it was looked at.
    if (signal.aborted) {
      if (load !== undefined) this.#leave(load, signal.reason);
      return Promise.reject(signal.reason);
    }
    const waits = this.#waits.get(promise) ?? this.#watch(promise);
    return new Promise((resolve, reject) => {
      const wait = { signal, resolve, reject, waits, load };
      waits.add(wait);
      this.#signals.add(signal, wait);
    });
  }

  #watch(promise: Promise<V>): Set<Wait<K, V, C>> {
    const waits = new Set<Wait<K, V, C>>();
    this.#waits.set(promise, waits);
    const end = (settle: (wait: Wait<K, V, C>) => void): void => {
      this.#waits.delete(promise);
      for (const wait of waits) {
        this.#signals.delete(wait.signal, wait);
        settle(wait);
      }
    };
    promise.then(
      (value) => end((wait) => wait.resolve(value)),
      (error: unknown) => end((wait) => wait.reject(error)),
    );
    return waits;
  }

  #leave(load: AbortableLoad<K, V, C>, reason: unknown): void {
    load.leave();
    if (!load.wanted && this.find(load.promise) !== undefined) this.#onDeserted(load, reason);
  }
}
