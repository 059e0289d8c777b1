import type { RedisArgument, RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll } from './redis-commands.ts';
import { type RedisEntry, type RedisValue, unpackEntry } from './redis-entry.ts';
import { entryName, entryPrefix } from './redis-keys.ts';
import { type RedisNamespace, type RedisNamespaces, unknownTags } from './redis-namespace.ts';
import { ReadEntry } from './redis-read-entry.ts';
import type { StoreEntry } from './store.ts';

/** Bytes and the time, in one step. A key of another type holds nothing of ours. */
const READ = /*@__PURE__*/ redisScript(`
local raw = redis.pcall('GET', KEYS[1])
if type(raw) == 'table' then raw = false end
local time = redis.call('TIME')
return { raw, time[1], time[2] }`);

/** Keys that are asked for in one command, and calls that wait for one another. */
const MAX_BATCH = 500;

const NO_TAGS: readonly string[] = [];

interface ReadsOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly namespaces: RedisNamespaces;
}

/** Reads entries. Calls for one namespace in one turn of the event loop are one round trip. */
export class RedisReads {
  readonly #options: ReadsOptions;
  readonly #open = new Map<string, ReadBatch>();

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  async getMany(
    namespace: string,
    keys: readonly string[],
    tags: readonly string[] = NO_TAGS,
  ): Promise<readonly StoreEntry[]> {
    if (keys.length === 0) return [];
    // A key that is none fails here, and nobody else's call.
    const start = entryPrefix(this.#options.prefix, namespace);
    const names = keys.map((key) => entryName(start, key));
    const batch = this.#batchFor(namespace);
    const from = batch.add(names, tags);
    if (batch.size >= MAX_BATCH) this.#send(namespace, batch);
    const read = await batch.read;
    const reads = read.entries.slice(from, from + names.length);
    let judge = read.namespace;
    if (reads.some((entry) => isTagUnknown(entry.value, judge))) judge = await batch.allTags();
    return reads.map((entry, index) => {
      const { readAt } = read;
      const now = typeof readAt === 'number' ? readAt : (readAt[from + index] as number);
      return new ReadEntry({ entry, now, namespace: read.namespace, judge });
    });
  }

  #batchFor(namespace: string): ReadBatch {
    const open = this.#open.get(namespace);
    if (open !== undefined) return open;
    const batch = new ReadBatch(this.#options, namespace);
    this.#open.set(namespace, batch);
    // After all that runs before the event loop turns: callers woken by one reply ask together again.
    queueMicrotask(() => process.nextTick(() => this.#send(namespace, batch)));
    return batch;
  }

  #send(namespace: string, batch: ReadBatch): void {
    if (this.#open.get(namespace) === batch) this.#open.delete(namespace);
    batch.send();
  }
}

interface BatchReply {
  readonly entries: readonly RedisEntry[];
  /** By Redis's clock: of all entries, or in a Cluster of each. */
  readonly readAt: number | readonly number[];
  readonly namespace: RedisNamespace;
}

/** What is asked together. */
class ReadBatch {
  readonly #options: ReadsOptions;
  readonly #namespace: string;
  readonly #names: RedisArgument[] = [];
  readonly #tags = new Set<string>();
  readonly #reply = Promise.withResolvers<BatchReply>();
  #sent = false;
  #allTags: Promise<RedisNamespace> | undefined;

  constructor(options: ReadsOptions, namespace: string) {
    this.#options = options;
    this.#namespace = namespace;
  }

  get size(): number {
    return this.#names.length;
  }

  get read(): Promise<BatchReply> {
    return this.#reply.promise;
  }

  /** @returns the position of the first */
  add(names: readonly RedisArgument[], tags: readonly string[]): number {
    const from = this.#names.length;
    for (const name of names) this.#names.push(name);
    for (const tag of tags) this.#tags.add(tag);
    return from;
  }

  send(): void {
    if (this.#sent) return;
    this.#sent = true;
    const { redis } = this.#options;
    this.#reply.resolve(redis.isCluster === true ? this.#readCluster() : this.#readOne());
  }

  /** The namespace with all tags of all entries of the batch: one round trip more, for those that need it. */
  allTags(): Promise<RedisNamespace> {
    this.#allTags ??= this.read.then(({ entries, namespace }) => {
      const unknown = entries.flatMap(({ value }) =>
        value === undefined ? [] : unknownTags(value.tags, value.sequence, namespace),
      );
      const tags = [...new Set([...unknown, ...this.#tags])];
      return this.#options.namespaces.read(this.#namespace, tags);
    });
    return this.#allTags;
  }

  /**
   * The time is read first: an absence is then known to be no older than that. The namespace is read last: what had ended when an entry was read
   * is seen to have ended.
   */
  async #readOne(): Promise<BatchReply> {
    const { redis, namespaces } = this.#options;
    const tags = [...this.#tags];
    const reading: RedisCommand[] = [];
    for (let from = 0; from < this.#names.length; from += MAX_BATCH) {
      reading.push({ run: 'mget', args: this.#names.slice(from, from + MAX_BATCH) });
    }
    const replies = await runAll(redis, [
      { run: 'time', args: [] },
      ...reading,
      namespaces.reading(this.#namespace, tags),
    ]);
    const raws = (replies.slice(1, -1) as (Buffer | null)[][]).flat();
    return {
      entries: raws.map(entryOf),
      readAt: millisecondsOf(replies[0] as unknown[]),
      namespace: await this.#parse(replies.at(-1), tags),
    };
  }

  /**
   * In a Cluster entries are on many nodes, and one may be read after the namespace: then it is judged by what was so when this call had begun. Entries with their
   * time are read by scripts, which also keeps to masters where `scaleReads` sends plain reads to replicas.
   */
  async #readCluster(): Promise<BatchReply> {
    const { redis, namespaces } = this.#options;
    const tags = [...this.#tags];
    const reading = this.#names.map((name): RedisCommand => ({ run: READ, args: [name] }));
    const replies = await runAll(redis, [...reading, namespaces.reading(this.#namespace, tags)]);
    const reads = replies.slice(0, -1) as [Buffer | null, ...time: unknown[]][];
    return {
      entries: reads.map(([raw]) => entryOf(raw)),
      readAt: reads.map(([, ...time]) => millisecondsOf(time)),
      namespace: await this.#parse(replies.at(-1), tags),
    };
  }

  async #parse(reply: unknown, tags: readonly string[]): Promise<RedisNamespace> {
    const { namespaces } = this.#options;
    return namespaces.parse(reply, tags) ?? namespaces.create(this.#namespace, tags);
  }
}

function isTagUnknown(value: RedisValue | undefined, namespace: RedisNamespace): boolean {
  if (value === undefined || value.tags.length === 0) return false;
  return unknownTags(value.tags, value.sequence, namespace).length > 0;
}

function entryOf(raw: Buffer | null): RedisEntry {
  return unpackEntry(raw ?? ABSENT);
}

function millisecondsOf(time: readonly unknown[]): number {
  return Number(time[0]) * 1_000 + Math.floor(Number(time[1]) / 1_000);
}

const ABSENT = Buffer.alloc(0);
