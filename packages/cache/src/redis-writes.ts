import type { RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll } from './redis-commands.ts';
import { LAYOUT, OPEN_ENTRY, packMark, packValue } from './redis-entry.ts';
import { entryName, entryPrefix } from './redis-keys.ts';
import { type RedisNamespace, type RedisNamespaces, areTagsValid } from './redis-namespace.ts';
import { type RedisVersion, trustedUntil, unpackVersion } from './redis-version.ts';
import type { StoreWrite } from './store.ts';

/**
 * ARGV: the state that must be there or '*', the time until which it can be trusted or nothing, the value, its milliseconds or nothing, those that Redis keeps it, and the holder of the lease
 * that must be the last one or nothing. A write that is there already was sent twice by a client that lost its connection in between.
 */
const WRITE = /*@__PURE__*/ redisScript(
  `${OPEN_ENTRY}
if state == string.sub(ARGV[3], 1, ${LAYOUT.state}) then return 1 end
if ARGV[1] ~= '*' and state ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and now >= tonumber(ARGV[2]) then return 0 end
if ARGV[6] ~= '' and (head == '' or holder() ~= ARGV[6]) then return 0 end
if ARGV[4] == '' then
  redis.call('SET', target, ARGV[3])
else
  redis.call('SET', target, ARGV[3], 'PX', ARGV[5])
  redis.call('SETRANGE', target, ${LAYOUT.expires}, struct.pack('<d', now + ARGV[4]))
end
return 1`,
  { changesEntry: true },
);

/** Past this Redis could not add the time of day. */
const LONGEST_TTL: number = 2 ** 52;

interface WritesOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly namespaces: RedisNamespaces;
  readonly fenceFor: number;
}

/** Writes and deletes entries. */
export class RedisWrites {
  readonly #options: WritesOptions;
  readonly #known = new RecentNamespaces();

  constructor(options: WritesOptions) {
    this.#options = options;
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    const start = entryPrefix(this.#options.prefix, namespace);
    const outcomes = writes.map(() => false);
    const fenced = writes.flatMap((write, position) => (write.ifVersion === undefined ? [] : [{ write, position }]));
    for (const { position, written } of await this.#setFenced(namespace, start, fenced)) outcomes[position] = written;
    const plain = writes.flatMap((write, position) => (write.ifVersion === undefined ? [{ write, position }] : []));
    for (const { position, written } of await this.#setPlain(namespace, start, plain)) outcomes[position] = written;
    return outcomes;
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    const { prefix, redis, fenceFor } = this.#options;
    const start = entryPrefix(prefix, namespace);
    await runAll(
      redis,
      keys.map((key) => ({ run: 'set', args: [entryName(start, key), packMark('T'), 'PX', fenceFor] })),
    );
  }

  async #setFenced(namespace: string, start: string, writes: readonly Placed[]): Promise<readonly Outcome[]> {
    const known = writes.flatMap(({ write, position }) => {
      const version = unpackVersion(write.ifVersion as string);
      return version === undefined ? [] : [{ write, position, version }];
    });
    if (known.length === 0) return [];
    const { redis, namespaces } = this.#options;
    const tags = [...new Set(known.flatMap(({ write }) => write.tags ?? []))];
    const commands = known.map(({ write, version }) => this.#command(start, write, version));
    const asking = namespaces.reading(namespace, tags);
    // The namespace is read after the writes: what has ended before them is then known. In a Cluster only replies tell what was before what.
    const isCluster = redis.isCluster === true;
    const replies = await runAll(redis, isCluster ? commands : [...commands, asking]);
    const [reply] = isCluster ? await runAll(redis, [asking]) : replies.slice(-1);
    const now = namespaces.parse(reply, tags);
    return known.map(({ write, position, version }, index) => ({
      position,
      written: Number(replies[index]) === 1 && now !== undefined && isCurrent(version, write, now),
    }));
  }

  /**
   * Whatever is there, these are written. First as of the namespace as it was last known, and when it has changed since then once more: what was written
   * is as if it had ended.
   */
  async #setPlain(namespace: string, start: string, writes: readonly Placed[]): Promise<readonly Outcome[]> {
    if (writes.length === 0) return [];
    const { redis, namespaces } = this.#options;
    const tags = [...new Set(writes.flatMap(({ write }) => write.tags ?? []))];
    let current = writes.some(({ write }) => write.lease !== undefined) ? undefined : this.#known.get(namespace);
    for (;;) {
      const as = current ?? (await namespaces.read(namespace, []));
      const commands = writes.map(({ write }) => this.#command(start, write, as));
      const replies = await runAll(redis, [...commands, namespaces.reading(namespace, tags)]);
      const now = namespaces.parse(replies.pop(), tags);
      if (now !== undefined) this.#known.set(namespace, now);
      const isDone =
        current === undefined || (now !== undefined && writes.every(({ write }) => isCurrent(as, write, now)));
      if (isDone) return writes.map(({ position }, index) => ({ position, written: Number(replies[index]) === 1 }));
      current = undefined;
    }
  }

  #command(start: string, write: StoreWrite, when: RedisNamespace | RedisVersion): RedisCommand {
    const { fenceFor } = this.#options;
    const { key, bytes, ttl, tags = [], lease = '' } = write;
    const { generation, sequence } = when;
    const isForEver = ttl >= LONGEST_TTL;
    const value = packValue({ generation, sequence, tags, bytes, expires: isForEver ? Infinity : 0 });
    const [life, kept] = isForEver ? ['', ''] : [Math.max(1, Math.floor(ttl)), Math.max(Math.ceil(ttl), fenceFor)];
    const [state, until] =
      'state' in when ? [Buffer.from(when.state, 'latin1'), trustedUntil(when, fenceFor)] : ['*', ''];
    return { run: WRITE, args: [entryName(start, key), state, until, value, life, kept, lease] };
  }
}

/** How the namespaces that were written to last were then. */
class RecentNamespaces {
  readonly #recent = new Map<string, RedisNamespace>();

  get(name: string): RedisNamespace | undefined {
    return this.#recent.get(name);
  }

  set(name: string, namespace: RedisNamespace): void {
    this.#recent.delete(name);
    this.#recent.set(name, { ...namespace, tags: NO_TAGS });
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > MOST_NAMESPACES && oldest !== undefined) this.#recent.delete(oldest);
  }
}

const MOST_NAMESPACES = 100;
const NO_TAGS: ReadonlyMap<string, number | undefined> = new Map();

interface Placed {
  readonly write: StoreWrite;
  readonly position: number;
}

interface Outcome {
  readonly position: number;
  readonly written: boolean;
}

/** Whether nothing happened to the namespace that ends what was loaded at `version`. */
function isCurrent(version: RedisVersion | RedisNamespace, { tags = [] }: StoreWrite, now: RedisNamespace): boolean {
  return version.generation === now.generation && areTagsValid(tags, version.sequence, now);
}
