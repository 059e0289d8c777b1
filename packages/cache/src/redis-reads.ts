import type { RedisArgument, RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll } from './redis-commands.ts';
import { type RedisEntry, unpackEntry } from './redis-entry.ts';
import { entryName, entryPrefix } from './redis-keys.ts';
import { type RedisNamespace, type RedisNamespaces, unknownTags } from './redis-namespace.ts';
import { ReadEntry } from './redis-read-entry.ts';
import type { StoreEntry } from './store.ts';
import { NO_TAGS } from './no-tags.ts';

/** Bytes and the time, in one step. A key of another type holds nothing of ours. */
const READ = /*@__PURE__*/ redisScript(`
local raw = redis.pcall('GET', KEYS[1])
if type(raw) == 'table' then raw = false end
local time = redis.call('TIME')
return { raw, time[1], time[2] }`);

/** Keys that are asked for in one command. */
const MAX_KEYS = 500;

interface ReadsOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly namespaces: RedisNamespaces;
}

/** What is asked for. */
interface Question {
  readonly namespace: string;
  readonly names: readonly RedisArgument[];
  readonly tags: readonly string[];
}

interface Reply {
  readonly entries: readonly RedisEntry[];
  /** By Redis's clock: of all entries, or in a Cluster of each. */
  readonly readAt: number | readonly number[];
  readonly namespace: RedisNamespace;
}

/** Reads entries. */
export class RedisReads {
  readonly #options: ReadsOptions;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  async getMany(
    namespace: string,
    keys: readonly string[],
    tags: readonly string[] = NO_TAGS,
  ): Promise<readonly StoreEntry[]> {
    if (keys.length === 0) return [];
    const { redis, prefix, namespaces } = this.#options;
    const start = entryPrefix(prefix, namespace);
    const question = { namespace, names: keys.map((key) => entryName(start, key)), tags };
    const reply = await (redis.isCluster === true ? this.#askCluster(question) : this.#askOne(question));
    const unknown = reply.entries.flatMap(({ value }) =>
      value === undefined || value.tags.length === 0 ? [] : unknownTags(value.tags, value.sequence, reply.namespace),
    );
    // One round trip more, when tags were invalidated of which the caller did not know.
    const judge =
      unknown.length === 0 ? reply.namespace : await namespaces.read(namespace, [...new Set([...unknown, ...tags])]);
    return reply.entries.map((entry, index) => {
      const now = typeof reply.readAt === 'number' ? reply.readAt : (reply.readAt[index] as number);
      return new ReadEntry({ entry, now, namespace: reply.namespace, judge });
    });
  }

  /**
   * The time is read first: an absence is then known to be no older than that. The namespace is read last: what had ended when an entry was read
   * is seen to have ended.
   */
  async #askOne({ namespace, names, tags }: Question): Promise<Reply> {
    const { redis, namespaces } = this.#options;
    const reading: RedisCommand[] = [];
    for (let from = 0; from < names.length; from += MAX_KEYS) {
      reading.push({ run: 'mget', args: names.slice(from, from + MAX_KEYS) });
    }
    const replies = await runAll(redis, [{ run: 'time', args: [] }, ...reading, namespaces.reading(namespace, tags)]);
    const raws = (replies.slice(1, -1) as (Buffer | null)[][]).flat();
    return {
      entries: raws.map(entryOf),
      readAt: millisecondsOf(replies[0] as unknown[]),
      namespace: await this.#parse(replies.at(-1), namespace, tags),
    };
  }

  /**
   * In a Cluster entries are on many nodes, and one may be read after the namespace: then it is judged by what was so when this call had begun. Entries with their
   * time are read by scripts, which also keeps to masters where `scaleReads` sends plain reads to replicas.
   */
  async #askCluster({ namespace, names, tags }: Question): Promise<Reply> {
    const { redis, namespaces } = this.#options;
    const reading = names.map((name): RedisCommand => ({ run: READ, args: [name] }));
    const replies = await runAll(redis, [...reading, namespaces.reading(namespace, tags)]);
    const reads = replies.slice(0, -1) as [Buffer | null, ...time: unknown[]][];
    return {
      entries: reads.map(([raw]) => entryOf(raw)),
      readAt: reads.map(([, ...time]) => millisecondsOf(time)),
      namespace: await this.#parse(replies.at(-1), namespace, tags),
    };
  }

  async #parse(reply: unknown, namespace: string, tags: readonly string[]): Promise<RedisNamespace> {
    const { namespaces } = this.#options;
    return namespaces.parse(reply, tags) ?? namespaces.create(namespace, tags);
  }
}

function entryOf(raw: Buffer | null): RedisEntry {
  return unpackEntry(raw ?? ABSENT);
}

function millisecondsOf(time: readonly unknown[]): number {
  return Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000);
}

const ABSENT = Buffer.alloc(0);
