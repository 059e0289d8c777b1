import type { Codec } from '@perf/codec';
import { type Clock, TimeoutError, deadline } from '@perf/core';
import { type CacheKey, toStoreKey } from './cache-key.ts';
import { openEnvelope, sealEnvelope } from './envelope.ts';
import { StoreError } from './errors.ts';
import type { Life } from './memory-tier.ts';
import { MutationQueue } from './mutation-queue.ts';
import type { Store, StoreEntry, StoreWrite } from './store.ts';
import { UnsyncedKeys } from './unsynced-keys.ts';

/** What the store says about a key. */
export interface StoreAnswer<V> {
  /** What it has, with the time that is left. */
  readonly hit: { readonly value: V; readonly life: Life } | undefined;
  /** For {@link StoreTier.writeLoaded}; `undefined` when the store did not answer, and must not be written without knowing. */
  readonly version: string | undefined;
}

/** A value that was loaded after `version` was read. */
export interface LoadedWrite<V> {
  readonly key: CacheKey;
  readonly value: V;
  readonly version: string;
}

/** How long the store keeps a value: `ttl` fresh, `staleFor` (0 for not at all) after that. */
export interface StoreTerms {
  readonly ttl: number;
  readonly staleFor: number;
}

/** What became of a write: refused because the key has changed since, or not answered. */
export type WriteOutcome = 'written' | 'fenced' | 'failed';

export interface StoreTierOptions {
  readonly store: Store;
  readonly namespace: string;
  readonly codec: Codec<unknown>;
  readonly clock: Clock;
  readonly timeout: number;
}

const NO_ANSWER: StoreAnswer<never> = { hit: undefined, version: undefined };

/**
 * The second tier: a store, spoken to in values. Reads and writes of loaded values never fail, for a store in trouble must not break a load;
 * changes asked for by the caller do, with a {@link StoreError}.
 */
export class StoreTier<V> {
  readonly #options: StoreTierOptions;
  readonly #queue = new MutationQueue();
  readonly #unsynced = new UnsyncedKeys();
  #failures = 0;

  constructor(options: StoreTierOptions) {
    this.#options = options;
  }

  /** Calls that failed or were not answered in time, and answers that could not be read. */
  get failures(): number {
    return this.#failures;
  }

  /** Keys whose last change may not have reached the store. */
  get unsynced(): number {
    return this.#unsynced.size;
  }

  /** One answer for each key, in order. Waits for changes of the keys that are under way. */
  async read(keys: readonly CacheKey[]): Promise<readonly StoreAnswer<V>[]> {
    const names = keys.map(toStoreKey);
    const readable = await this.#readable(names);
    if (readable.length === 0) return names.map(() => NO_ANSWER);
    const { store, namespace, clock } = this.#options;
    // The remaining time is counted from before the question: an entry may be dropped a little early, never late.
    const askedAt = clock.now();
    try {
      const entries = await this.#timed(() => store.getMany(namespace, readable));
      const answers = new Map(readable.map((name, index) => [name, this.#answer(entries[index], askedAt)]));
      return names.map((name) => answers.get(name) ?? NO_ANSWER);
    } catch {
      this.#failures++;
      return names.map(() => NO_ANSWER);
    }
  }

  /** Writes what was loaded, unless the key has changed since its version was read. */
  async writeLoaded(loaded: readonly LoadedWrite<V>[], terms: StoreTerms): Promise<readonly WriteOutcome[]> {
    const outcomes: WriteOutcome[] = loaded.map(() => 'failed');
    const writes: StoreWrite[] = [];
    const positions: number[] = [];
    for (const [position, { key, value, version }] of loaded.entries()) {
      try {
        writes.push({ ...this.encode(key, value, terms), ifVersion: version });
        positions.push(position);
      } catch {
        this.#failures++;
      }
    }
    if (writes.length === 0) return outcomes;
    try {
      const written = await this.#timed(() => this.#options.store.setMany(this.#options.namespace, writes));
      for (const [index, position] of positions.entries())
        outcomes[position] = written[index] === true ? 'written' : 'fenced';
    } catch {
      this.#failures++;
    }
    return outcomes;
  }

  /** The write for a value. @throws CodecError when the codec cannot carry it */
  encode(key: CacheKey, value: V, { ttl, staleFor }: StoreTerms): StoreWrite {
    const bytes = sealEnvelope({ staleFor, payload: this.#options.codec.encode(value) });
    return { key: toStoreKey(key), bytes, ttl: ttl + staleFor };
  }

  /** @throws StoreError */
  set(write: StoreWrite): Promise<void> {
    return this.#change('set', [write.key], async ({ store, namespace }) => {
      await store.setMany(namespace, [write]);
    });
  }

  /** @throws StoreError */
  deleteMany(keys: readonly CacheKey[]): Promise<void> {
    const names = keys.map(toStoreKey);
    return this.#change('delete', names, ({ store, namespace }) => store.deleteMany(namespace, names));
  }

  /** @throws StoreError */
  async clear(): Promise<void> {
    const { store, namespace } = this.#options;
    try {
      await this.#timed(() => this.#queue.runAlone(() => store.clear(namespace)));
      this.#unsynced.clear();
    } catch (cause) {
      this.#failures++;
      this.#unsynced.addAll();
      throw new StoreError('clear', { cause });
    }
  }

  async #change(
    operation: 'set' | 'delete',
    names: readonly string[],
    change: (options: StoreTierOptions) => Promise<void>,
  ): Promise<void> {
    try {
      await this.#timed(() => this.#queue.run(names, () => change(this.#options)));
      this.#unsynced.delete(names);
    } catch (cause) {
      this.#failures++;
      this.#unsynced.add(names);
      throw new StoreError(operation, { cause });
    }
  }

  /** Which of the keys the store can be believed about, after waiting for and repairing what can be. */
  async #readable(names: readonly string[]): Promise<readonly string[]> {
    const changing = names.filter((name) => this.#queue.isPending(name));
    if (changing.length > 0) await this.#quietly(() => this.#queue.settled(changing));
    const unsynced = names.filter((name) => this.#unsynced.has(name) && !this.#queue.isPending(name));
    if (unsynced.length > 0) await this.#quietly(() => (this.#unsynced.all ? this.clear() : this.#repair(unsynced)));
    return names.filter((name) => !this.#unsynced.has(name) && !this.#queue.isPending(name));
  }

  /** Deletes what the store may still have from before a change it did not take. */
  #repair(names: readonly string[]): Promise<void> {
    return this.#change('delete', names, ({ store, namespace }) => store.deleteMany(namespace, names));
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await this.#timed(work);
    } catch {
      // The keys stay unreadable for now.
    }
  }

  #answer(entry: StoreEntry | undefined, askedAt: number): StoreAnswer<V> {
    if (entry === undefined) return NO_ANSWER;
    const envelope = entry.bytes && openEnvelope(entry.bytes);
    if (envelope === undefined) return { hit: undefined, version: entry.version };
    try {
      const value = this.#options.codec.decode(envelope.payload) as V;
      const until = askedAt + entry.ttl;
      return { hit: { value, life: { until, freshUntil: until - envelope.staleFor } }, version: entry.version };
    } catch {
      this.#failures++;
      return { hit: undefined, version: entry.version };
    }
  }

  #timed<T>(work: () => Promise<T>): Promise<T> {
    const { timeout } = this.#options;
    const onTimeout = (): Error =>
      new TimeoutError(`the store did not answer within ${timeout} ms`, { timeout, code: 'PERF_CACHE_STORE_TIMEOUT' });
    return deadline(work, { timeout, onTimeout });
  }
}
