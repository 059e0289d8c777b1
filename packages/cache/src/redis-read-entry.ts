import type { RedisEntry, RedisValue } from './redis-entry.ts';
import { type RedisNamespace, areTagsValid } from './redis-namespace.ts';
import { packVersion } from './redis-version.ts';
import type { StoreEntry } from './store.ts';
import { NO_TAGS } from './no-tags.ts';

/** What was read, and what it is judged by. */
interface Judgement {
  readonly entry: RedisEntry;
  readonly now: number;
  /** As it was first read, which the version goes by. */
  readonly namespace: RedisNamespace;
  /** As it was last read, with the tags of the entry. */
  readonly judge: RedisNamespace;
}

/** An entry as the store tells it: its value only if that has not ended. */
export class ReadEntry implements StoreEntry {
  readonly bytes: Uint8Array | undefined;
  readonly ttl: number;
  readonly tags: readonly string[];
  readonly leasedFor: number;
  readonly #judgement: Judgement;

  constructor(judgement: Judgement) {
    const { entry, now, judge } = judgement;
    this.#judgement = judgement;
    const value = entry.value !== undefined && isLive(entry.value, judgement) ? entry.value : undefined;
    this.bytes = value?.bytes;
    this.ttl = value === undefined ? 0 : value.expires - now;
    this.tags = value?.tags ?? NO_TAGS;
    const isLeased = entry.leasedUntil > now && entry.leaseGeneration === judge.generation;
    this.leasedFor = isLeased ? entry.leasedUntil - now : 0;
  }

  /** Made when it is asked for: most entries that are there are never written. */
  get version(): string {
    const { entry, now, namespace } = this.#judgement;
    const { generation, sequence } = namespace;
    return packVersion({ generation, sequence, readAt: now, state: entry.state });
  }
}

function isLive({ generation, sequence, expires, tags }: RedisValue, { now, namespace, judge }: Judgement): boolean {
  // When the namespace was cleared between the two questions about it, the entry has ended.
  if (generation !== judge.generation || namespace.generation !== judge.generation || !(expires > now)) return false;
  return tags.length === 0 || areTagsValid(tags, sequence, judge);
}
