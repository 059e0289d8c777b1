import type { Fence } from './fences.ts';
import type { Flight } from './flight.ts';

/** What comes of loading a key: a value (a stale one when it is being refreshed now), or word that the loader has none for it. */
export type Landing<V> =
  | { readonly found: true; readonly value: V; readonly isStale: boolean }
  | { readonly found: false };

/** What a loader is told besides the keys. */
export interface LoadContext<K, V> {
  /** Aborts when nobody waits any more, and when `loadTimeout` runs out. */
  readonly signal: AbortSignal;
  /** The values there still are, stale or about to be. */
  readonly previous: ReadonlyMap<K, V>;
}

/** Something that is given, or found out from the value and its key. */
export type OfValue<K, V, T> = T | ((value: V, key: K) => T);

/** A load as it was asked for. */
export interface LoadRequest<K, V> {
  readonly load: (
    missing: readonly K[],
    context: LoadContext<K, V>,
  ) => ReadonlyMap<K, V | Promise<V>> | Promise<ReadonlyMap<K, V | Promise<V>>>;
  /** Milliseconds the values are fresh. */
  readonly ttl: OfValue<K, V, number>;
  readonly tags: OfValue<K, V, readonly string[]>;
}

/** One key of a {@link LoadGroup}. */
export interface LoadMember<K, V> {
  readonly key: K;
  readonly flight: Flight<Landing<V>>;
  readonly fence: Fence;
  /** What the store said the key's version was, to write against. */
  version: string | undefined;
  /** The token of the lease under which it is loaded. */
  lease: string | undefined;
  /** Milliseconds for which the store says another process loads it. */
  leasedFor: number;
  /** The tags of the value to come, once they are known. */
  tags: readonly string[] | undefined;
  /** The end of the value that was loaded; `Infinity` until then. */
  freshUntil: number;
}

/** What a value is loaded for. */
export type LoadPurpose =
  /** Callers have no value. */
  | 'answer'
  /** To replace, in the background, a value that is stale or about to be. */
  | 'refresh'
  /** To replace whatever there is. */
  | 'renew';

/** What is held of a value that is to be replaced. */
export interface Outgoing<V> {
  readonly value: V;
  readonly freshUntil: number;
}

/** Keys that are loaded by one call of a loader. */
export interface LoadGroup<K, V> {
  readonly request: LoadRequest<K, V>;
  readonly purpose: LoadPurpose;
  readonly members: LoadMember<K, V>[];
  /** What memory has, and then the store. */
  readonly outgoing: Map<K, Outgoing<V>>;
  /** Aborts the loader. */
  readonly controller: AbortController;
  /** Members that someone still waits for. The loader is aborted when there are none. */
  readonly wanted: Set<LoadMember<K, V>>;
}
