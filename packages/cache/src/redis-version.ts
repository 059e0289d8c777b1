/** What a version stands for: what was stored under a key, in a generation of its namespace, after so many invalidations of tags. */
export interface RedisVersion {
  readonly generation: string;
  readonly sequence: number;
  /** Milliseconds of Redis's clock. */
  readonly readAt: number;
  /** The bytes of it, as characters; empty where nothing was. */
  readonly state: string;
}

export function packVersion({ generation, sequence, readAt, state }: RedisVersion): string {
  return `${readAt}/${sequence}/${generation}${state}`;
}

/** Any bytes may be the state of somebody else's making, as characters up to 255. */
const VERSION = /^(\d+)\/(\d+)\/([\w-]{12})([^]{14})?$/;

/** `undefined` for what {@link packVersion} has not made. */
export function unpackVersion(version: string): RedisVersion | undefined {
  const [, readAt, sequence, generation, state = ''] = VERSION.exec(version) ?? [];
  if (generation === undefined) return undefined;
  return { readAt: Number(readAt), sequence: Number(sequence), generation, state };
}

/**
 * The time of Redis's clock from which on the state can no longer be trusted, empty for none. An absence may be that of a deletion which is forgotten by then; an id never comes back.
 */
export function trustedUntil({ state, readAt }: RedisVersion, fenceFor: number): number | '' {
  return state === '' ? readAt + fenceFor : '';
}
