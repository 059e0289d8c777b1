/** What a store knows of a key. */
export interface StoreEntry {
  /** The bytes that were written; `undefined` when there are none, or no longer. */
  readonly bytes: Uint8Array | undefined;
  /** Milliseconds the bytes have left; `Infinity` for ever. Without bytes it means nothing. */
  readonly ttl: number;
  /**
   * Stands for what was read, an absence included: to be given back as {@link StoreWrite.ifVersion}. Opaque, and only good for the store object that
   * made it.
   */
  readonly version: string;
}

/** One entry to write. */
export interface StoreWrite {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Milliseconds until the store forgets it, above 0; `Infinity` for never. */
  readonly ttl: number;
  /**
   * Write only if nothing happened to the key since this version was read: no write, no deletion, no `clear`, by anyone. Without it, write.
   * A store that can no longer tell (because too much time has passed) does not write.
   */
  readonly ifVersion?: string;
}

/**
 * What a {@link TieredCache} keeps values in beyond its own memory: shared with other processes, or just larger. Keys are any strings; a namespace has keys of
 * its own. Methods reject when the store cannot be reached; a rejected write may or may not have happened.
 *
 * The version check and the write must be one atomic step for each key: it is what keeps a value that was loaded before a deletion from
 * coming back after it.
 */
export interface Store {
  /** One entry for each key, in the order of the keys. Bytes that are not the store's own are none. */
  getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]>;
  /** Writes each entry by itself. @returns for each whether it was written, in their order */
  setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]>;
  /** Deletes, and remembers having done so for as long as versions read before may come back. */
  deleteMany(namespace: string, keys: readonly string[]): Promise<void>;
  /** Deletes everything in the namespace, with the same memory. */
  clear(namespace: string): Promise<void>;
}
