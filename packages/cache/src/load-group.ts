import type { Fence } from './fences.ts';
import type { Flight } from './flight.ts';

/** What comes of loading a key: a value, or word that the loader has none for it. */
export type Landing<V> = { readonly found: true; readonly value: V } | { readonly found: false };

/** What a loader is told besides the keys. */
export interface LoadContext<K, V> {
  /** Aborts when nobody waits any more, and when `loadTimeout` runs out. */
  readonly signal: AbortSignal;
  /** The stale values there still are. */
  readonly previous: ReadonlyMap<K, V>;
}

/** A load as it was asked for. */
export interface LoadRequest<K, V> {
  readonly load: (missing: readonly K[], context: LoadContext<K, V>) => ReadonlyMap<K, V> | Promise<ReadonlyMap<K, V>>;
  /** Milliseconds the values are fresh. */
  readonly ttl: number;
}

/** One key of a {@link LoadGroup}. */
export interface LoadMember<K, V> {
  readonly key: K;
  readonly flight: Flight<Landing<V>>;
  readonly fence: Fence;
  /** What the store said the key's version was, to write against. */
  version: string | undefined;
}

/** Keys that are loaded by one call of a loader. */
export interface LoadGroup<K, V> {
  readonly request: LoadRequest<K, V>;
  /** In the background, to replace stale values: a stale value from the store is no answer then. */
  readonly isRefresh: boolean;
  readonly members: LoadMember<K, V>[];
  readonly previous: Map<K, V>;
  /** Aborts the loader. */
  readonly controller: AbortController;
  /** Members that someone still waits for. */
  wanted: number;
}
