import type { Codec } from '@perf/codec';
import { type Clock, type Timer, deadline, startTimer } from '@perf/core';
import { type CacheKey, toStoreKey } from './cache-key.ts';
import { openEnvelope, sealEnvelope } from './envelope.ts';
import { StoreError } from './errors.ts';
import { LoadLeases } from './load-leases.ts';
import type { Life } from './memory-tier.ts';
import { MutationQueue } from './mutation-queue.ts';
import { type BatchReply, ReadBatch } from './read-batch.ts';
import { StoreCalls, type StoreCallsOptions } from './store-calls.ts';
import type { Store, StoreEntry, StoreWrite } from './store.ts';
import { type Change, UnsyncedChanges } from './unsynced-changes.ts';
import { NO_TAGS } from './no-tags.ts';

/** A value the store has, with the time that is left. */
export interface StoreHit<V> {
  readonly value: V;
  readonly life: Life;
  readonly cost: number;
  readonly tags: readonly string[];
}

/** What the store says about a key. */
export interface StoreAnswer<V> {
  readonly hit: StoreHit<V> | undefined;
  /** For {@link StoreTier.writeLoaded}; `undefined` when the store did not answer, and must not be written without knowing. */
  readonly version: string | undefined;
  /** Milliseconds for which another process is loading the key. */
  readonly leasedFor: number;
}

/** A value to write. */
export interface StoreValue<V> {
  readonly key: CacheKey;
  readonly value: V;
  /** Milliseconds it is fresh. */
  readonly ttl: number;
  /** Milliseconds its load took, 0 when it was not loaded. */
  readonly cost: number;
  readonly tags: readonly string[];
}

/** A value that was loaded after `version` was read. */
export interface LoadedValue<V> extends StoreValue<V> {
  readonly version: string;
  readonly lease: string | undefined;
}

/** What became of a write: refused because the key has changed since, or not answered. */
export type WriteOutcome = 'written' | 'fenced' | 'failed';

export interface StoreTierOptions extends StoreCallsOptions {
  readonly store: Store;
  readonly namespace: string;
  readonly codec: Codec<unknown>;
  readonly clock: Clock;
  /** Milliseconds after `ttl` for which values are kept. */
  readonly staleFor: number;
  /** Milliseconds a lease lasts; `undefined` for no leases. */
  readonly leaseTtl: number | undefined;
  /** Hears of a change that got through late. */
  readonly onRepeated: (change: Change) => void;
}

/** A change when its turn has come. */
interface Attempt {
  readonly change: Change;
  readonly number: number;
  readonly work: (options: StoreTierOptions) => Promise<void>;
}

const NO_ANSWER: StoreAnswer<never> = { hit: undefined, version: undefined, leasedFor: 0 };
/** Keys in one question, unless one caller asks for more. */
const ASKED_AT_ONCE = 500;
/** Keys or tags of which a change is repeated in one call. */
const REPEATED_AT_ONCE = 500;

/**
 * The second tier: a store, spoken to in values. Reads and writes of loaded values never fail, for a store in trouble must not break a load;
 * changes asked for by the caller do, with a {@link StoreError}. They are remembered and repeated.
 */
export class StoreTier<V> {
  readonly leases: LoadLeases | undefined;
  readonly #options: StoreTierOptions;
  readonly #calls: StoreCalls;
  readonly #queue = new MutationQueue();
  readonly #unsynced = new UnsyncedChanges();
  #unreadable = 0;
  /** Where questions of this turn of the event loop go. */
  #batch: ReadBatch | undefined;
  #repair: Timer | undefined;
  #closed = false;

  constructor(options: StoreTierOptions) {
    this.#options = options;
    this.#calls = new StoreCalls(options);
    const { leases } = options.store;
    const { namespace, leaseTtl } = options;
    if (leases !== undefined && leaseTtl !== undefined) {
      this.leases = new LoadLeases({ leases, namespace, calls: this.#calls, ttl: leaseTtl });
    }
  }

  get stats(): Readonly<Record<'failures' | 'openings' | 'unsynced', number>> & Pick<StoreCalls, 'breakerState'> {
    const { failures, openings, breakerState } = this.#calls;
    return { failures: failures + this.#unreadable, openings, breakerState, unsynced: this.#unsynced.size };
  }

  /** One answer for each key, in order. Waits for changes of the keys that are under way. What is asked in one turn of the event loop is one question. */
  async read(keys: readonly CacheKey[], tags: readonly string[]): Promise<readonly StoreAnswer<V>[]> {
    const names = keys.map(toStoreKey);
    const readable = this.#isCalm ? names : await this.#readable(names);
    if (readable.length === 0) return names.map(() => NO_ANSWER);
    const batch = this.#batchFor(readable.length);
    const from = batch.add(readable, tags);
    const reply = await batch.reply;
    if (reply === undefined) return names.map(() => NO_ANSWER);
    if (readable === names) return names.map((_, index) => this.#answer(reply.entries[from + index], reply.askedAt));
    const answers = new Map(readable.map((name, index) => [name, reply.entries[from + index]]));
    return names.map((name) => this.#answer(answers.get(name), reply.askedAt));
  }

  /** Gives what the store has of one key to `use`. No async function: there may be many of these in a turn, and each promise counts. */
  readOne<T>(key: CacheKey, use: (hit: StoreHit<V> | undefined) => T): Promise<T> {
    if (!this.#isCalm) return this.read([key], NO_TAGS).then(([answer]) => use(answer?.hit));
    const batch = this.#batchFor(1);
    const position = batch.keys.push(toStoreKey(key)) - 1;
    return batch.reply.then((reply) => use(reply && this.#hit(reply.entries[position], reply.askedAt)));
  }

  /** Whether there is no change under way or left to repeat. */
  get #isCalm(): boolean {
    return this.#queue.isIdle && this.#unsynced.size === 0;
  }

  #batchFor(size: number): ReadBatch {
    if (this.#batch !== undefined && this.#batch.keys.length + size <= ASKED_AT_ONCE) return this.#batch;
    const batch = new ReadBatch(() => {
      if (this.#batch === batch) this.#batch = undefined;
      return this.#ask(batch);
    });
    this.#batch = batch;
    batch.sendSoon();
    return batch;
  }

  async #ask({ keys, tags }: ReadBatch): Promise<BatchReply | undefined> {
    const { store, namespace, clock } = this.#options;
    // The remaining time is counted from before the question: an entry may be dropped a little early, never late.
    const askedAt = clock.now();
    try {
      const entries = await this.#calls.run('read', () => store.getMany(namespace, keys, { tags: [...tags] }));
      return { entries, askedAt };
    } catch {
      return undefined;
    }
  }

  /** Writes what was loaded, unless the key or a tag of it has changed since its version was read. */
  async writeLoaded(loaded: readonly LoadedValue<V>[]): Promise<readonly WriteOutcome[]> {
    const outcomes: WriteOutcome[] = loaded.map(() => 'failed');
    const writes: StoreWrite[] = [];
    const positions: number[] = [];
    for (const [position, value] of loaded.entries()) {
      const { version, lease } = value;
      try {
        writes.push({ ...this.encode(value), ifVersion: version, ...(lease !== undefined && { lease }) });
        positions.push(position);
      } catch {
        this.#unreadable++;
      }
    }
    if (writes.length === 0) return outcomes;
    try {
      const { store, namespace } = this.#options;
      const written = await this.#calls.run('write', () => store.setMany(namespace, writes));
      for (const [index, position] of positions.entries())
        outcomes[position] = written[index] === true ? 'written' : 'fenced';
    } catch {
      // Whether it was written is not known. It was no outdated value if it was.
    }
    return outcomes;
  }

  /** The write for a value. @throws CodecError when the codec cannot carry it */
  encode({ key, value, ttl, cost, tags }: StoreValue<V>): StoreWrite {
    const { codec, staleFor } = this.#options;
    const bytes = sealEnvelope({ staleFor, cost, payload: codec.encode(value) });
    return { key: toStoreKey(key), bytes, ttl: ttl + staleFor, tags };
  }

  /** @throws StoreError */
  set(write: StoreWrite): Promise<void> {
    return this.#change('set', { keys: [write.key] }, async ({ store, namespace }) => {
      await store.setMany(namespace, [write]);
    });
  }

  /** @throws StoreError */
  deleteMany(keys: readonly CacheKey[]): Promise<void> {
    return this.#delete(keys.map(toStoreKey));
  }

  /** @throws StoreError */
  invalidateTags(tags: readonly string[]): Promise<void> {
    return this.#change('invalidateTags', { tags }, ({ store, namespace }) => store.invalidateTags(namespace, tags));
  }

  /** @throws StoreError */
  clear(): Promise<void> {
    return this.#change('clear', {}, ({ store, namespace }) => store.clear(namespace));
  }

  /** Repeats no more changes. */
  close(): void {
    this.#closed = true;
    this.#repair?.cancel();
  }

  #delete(names: readonly string[]): Promise<void> {
    return this.#change('delete', { keys: names }, ({ store, namespace }) => store.deleteMany(namespace, names));
  }

  async #change(
    operation: StoreError['operation'],
    change: Change,
    work: (options: StoreTierOptions) => Promise<void>,
  ): Promise<void> {
    const number = this.#unsynced.begin();
    try {
      await this.#calls.run(operation, () => this.#inTurn(change, () => this.#attempt({ change, number, work })));
      this.#unsynced.delete(change, number);
    } catch (cause) {
      this.#unsynced.add(change, number);
      this.#repairLater();
      throw new StoreError(operation, { cause });
    }
  }

  /** Notes a failure before others have their turn: they must not believe the store in between. */
  async #attempt({ change, number, work }: Attempt): Promise<void> {
    try {
      await work(this.#options);
    } catch (error) {
      this.#unsynced.add(change, number);
      throw error;
    }
  }

  #inTurn({ keys, tags }: Change, work: () => Promise<void>): Promise<void> {
    if (keys !== undefined) return this.#queue.run(keys, work);
    // A value that is written while tags are invalidated may be lost with the others: nothing has to wait for it.
    return tags === undefined ? this.#queue.runAlone(work) : this.#queue.runAfterAll(work);
  }

  /** Which of the keys the store can be believed about, after waiting for and repairing what can be. */
  async #readable(names: readonly string[]): Promise<readonly string[]> {
    // What the store did not take in time may never end: it is not waited for again.
    const changing = names.filter((name) => this.#queue.isPending(name) && !this.#unsynced.hasKey(name));
    const { timeout } = this.#options;
    if (changing.length > 0) await this.#quietly(deadline(() => this.#queue.settled(changing), { timeout }));
    const unsynced = names.filter((name) => this.#unsynced.hasKey(name) && !this.#queue.isPending(name));
    if (unsynced.length > 0)
      await this.#quietly(this.#repeat(this.#unsynced.next(1)?.keys === undefined ? {} : { keys: unsynced }));
    return names.filter((name) => !this.#unsynced.hasKey(name) && !this.#queue.isPending(name));
  }

  /** Repeats the changes that the store did not take: what it still has from before them is not for other processes to read either. */
  #repairLater(): void {
    if (this.#repair !== undefined || this.#closed) return;
    const repair = async (): Promise<void> => {
      this.#repair = undefined;
      for (let next = this.#nextToRepeat(); next !== undefined && !this.#closed; next = this.#nextToRepeat()) {
        try {
          await this.#repeat(next);
        } catch {
          break;
        }
      }
      if (this.#unsynced.size > 0) this.#repairLater();
    };
    this.#repair = startTimer(() => void repair(), this.#options.breakFor, { unref: true });
  }

  /** What is not under way already: a store that hangs would find one repetition behind the other when it goes on. */
  #nextToRepeat(): Change | undefined {
    const next = this.#unsynced.next(REPEATED_AT_ONCE);
    if (next?.keys === undefined) return this.#queue.isBarred ? undefined : next;
    const keys = next.keys.filter((key) => !this.#queue.isPending(key));
    return keys.length > 0 ? { keys } : undefined;
  }

  async #repeat(change: Change): Promise<void> {
    const { keys, tags } = change;
    if (keys !== undefined) await this.#delete(keys);
    else await (tags === undefined ? this.clear() : this.invalidateTags(tags));
    this.#options.onRepeated(change);
  }

  async #quietly(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch {
      // The keys stay unreadable for now.
    }
  }

  #answer(entry: StoreEntry | undefined, askedAt: number): StoreAnswer<V> {
    if (entry === undefined || this.#unsynced.hasTags(entry.tags)) return NO_ANSWER;
    const { version, leasedFor } = entry;
    return { hit: this.#hit(entry, askedAt), version, leasedFor };
  }

  #hit(entry: StoreEntry | undefined, askedAt: number): StoreHit<V> | undefined {
    if (entry?.bytes === undefined || this.#unsynced.hasTags(entry.tags)) return undefined;
    const envelope = openEnvelope(entry.bytes);
    if (envelope === undefined) return undefined;
    try {
      const value = this.#options.codec.decode(envelope.payload) as V;
      const until = askedAt + entry.ttl;
      const life = { until, freshUntil: until - envelope.staleFor };
      return { value, life, cost: envelope.cost, tags: entry.tags.length === 0 ? NO_TAGS : entry.tags };
    } catch {
      this.#unreadable++;
      return undefined;
    }
  }
}
