import { type Timer, startTimer } from '@perf/core';
import type { StoreCalls } from './store-calls.ts';
import type { HeldLease, LeaseAnswer, StoreLeases } from './store.ts';

export interface LoadLeasesOptions {
  readonly leases: StoreLeases;
  readonly namespace: string;
  readonly calls: StoreCalls;
  /** Milliseconds until a lease ends whose holder has died. */
  readonly ttl: number;
}

/**
 * Leases of keys that are being loaded, so that one process at a time loads a key. A store in trouble gives none, and breaks no load: whoever has no answer loads by
 * itself.
 */
export class LoadLeases {
  readonly #options: LoadLeasesOptions;
  /** The keys this process is loading under a lease, each as often as it does. */
  readonly #held = new Map<string, number>();

  constructor(options: LoadLeasesOptions) {
    this.#options = options;
  }

  /** @param keys with the versions that were read. @returns one answer for each, or `undefined` when the store does not say */
  async acquire(
    keys: readonly { readonly key: string; readonly version: string }[],
  ): Promise<readonly LeaseAnswer[] | undefined> {
    const { leases, namespace, calls, ttl } = this.#options;
    const requests = keys.map(({ key, version }) => ({ key, version, ttl }));
    try {
      return await calls.run('lease', () => leases.acquire(namespace, requests));
    } catch {
      return undefined;
    }
  }

  /** Whether this process itself has a lease of the key. */
  has(key: string): boolean {
    return this.#held.has(key);
  }

  /** Keeps leases from ending until the returned function is called. */
  hold(held: readonly HeldLease[]): () => void {
    const { leases, namespace, calls, ttl } = this.#options;
    let timer: Timer;
    const extendLater = (): void => {
      // Three attempts within the life of a lease.
      timer = startTimer(() => void extend(), ttl / 3, { unref: true });
    };
    const extend = async (): Promise<void> => {
      extendLater();
      try {
        await calls.run('lease', () => leases.extend(namespace, held, ttl));
      } catch {
        // A lease that ends early costs a load in another process, nothing else.
      }
    };
    extendLater();
    for (const { key } of held) this.#count(key, 1);
    return () => {
      timer.cancel();
      for (const { key } of held) this.#count(key, -1);
    };
  }

  /** Ends leases, so that others need not wait for their end. */
  async release(held: readonly HeldLease[]): Promise<void> {
    const { leases, namespace, calls } = this.#options;
    try {
      await calls.run('lease', () => leases.release(namespace, held));
    } catch {
      // They end by themselves.
    }
  }

  #count(key: string, change: 1 | -1): void {
    const count = (this.#held.get(key) ?? 0) + change;
    if (count === 0) this.#held.delete(key);
    else this.#held.set(key, count);
  }
}
