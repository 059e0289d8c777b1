/** What a store knows of a key. */
export interface StoreEntry {
  /** The bytes that were written; `undefined` when there are none, or no longer. */
  readonly bytes: Uint8Array | undefined;
  /** Milliseconds the bytes have left; `Infinity` for ever. Without bytes it means nothing. */
  readonly ttl: number;
  /** The tags the bytes were written with. */
  readonly tags: readonly string[];
  /** Milliseconds for which somebody's {@link StoreLeases | lease} of the key lasts, 0 when there is none. */
  readonly leasedFor: number;
  /**
   * Stands for what was read, an absence and the history of all tags included: to be given back as {@link StoreWrite.ifVersion}. Opaque, and only good for the
   * store object that made it.
   */
  readonly version: string;
}

/** What a reader knows beforehand, for a store to answer in one round trip. */
export interface StoreReadHints {
  /** Tags the entries are likely to have. */
  readonly tags: readonly string[];
}

/** One entry to write. */
export interface StoreWrite {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Milliseconds until the store forgets it, above 0; `Infinity` for never. */
  readonly ttl: number;
  /** The entry ends when one of them is invalidated. */
  readonly tags?: readonly string[];
  /**
   * Write only if nothing happened to the key, and no tag of the entry was invalidated, since this version was read: no write, no deletion, no `clear`, by anyone. Without it, write.
   * A store that can no longer tell (because too much time has passed) does not write.
   */
  readonly ifVersion?: string;
  /** The token of a lease: write only if nobody else has got a lease of the key since. The lease ends with the write. */
  readonly lease?: string;
}

/**
 * What a {@link TieredCache} keeps values in beyond its own memory: shared with other processes, or just larger. Keys and tags are any strings; a namespace has keys and
 * tags of its own. Methods reject when the store cannot be reached; a rejected write may or may not have happened.
 *
 * The version check and the write must be one atomic step for each key: it is what keeps a value that was loaded before a deletion from
 * coming back after it.
 */
export interface Store {
  /** One entry for each key, in the order of the keys. Bytes that are not the store's own are none. */
  getMany(namespace: string, keys: readonly string[], hints?: StoreReadHints): Promise<readonly StoreEntry[]>;
  /** Writes each entry by itself. @returns for each whether it was written, in their order */
  setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]>;
  /** Deletes, and remembers having done so for as long as versions read before may come back. Ends leases. */
  deleteMany(namespace: string, keys: readonly string[]): Promise<void>;
  /** Ends every entry of the namespace that has one of the tags, with the same memory. */
  invalidateTags(namespace: string, tags: readonly string[]): Promise<void>;
  /** Deletes everything in the namespace, with the same memory. */
  clear(namespace: string): Promise<void>;
  /** There when the store can lend keys out, so that one process at a time loads a key. */
  readonly leases?: StoreLeases;
}

/** A key that somebody wants to load. */
export interface LeaseRequest {
  readonly key: string;
  /** The version that was read: no lease if anything has happened to the key since. */
  readonly version: string;
  /** Milliseconds until the lease ends by itself, should its holder die. */
  readonly ttl: number;
}

/** The answer to a {@link LeaseRequest}. */
export type LeaseAnswer =
  | {
      /** Names this lease in all calls that follow, unlike any other lease there was: a fencing token. */
      readonly token: string;
      /** To write with, in the place of the version that was read. */
      readonly version: string;
    }
  | {
      readonly token: undefined;
      /** Milliseconds for which another lease lasts; 0 when the key has changed and is to be read again. */
      readonly leasedFor: number;
    };

/** A lease that was got. */
export interface HeldLease {
  readonly key: string;
  readonly token: string;
}

/**
 * Leases of keys. Each ends with a write, a deletion or a `clear`, by {@link StoreLeases.release}, or by itself. It gives no right but that of
 * being the only one who has it: what keeps outdated values out are versions.
 */
export interface StoreLeases {
  /** One answer for each request, in order; each is one atomic step. */
  acquire(namespace: string, requests: readonly LeaseRequest[]): Promise<readonly LeaseAnswer[]>;
  /** Lets leases last `ttl` milliseconds from now on. @returns for each whether it was still held */
  extend(namespace: string, leases: readonly HeldLease[], ttl: number): Promise<readonly boolean[]>;
  /** Ends those leases that are still held. */
  release(namespace: string, leases: readonly HeldLease[]): Promise<void>;
}
