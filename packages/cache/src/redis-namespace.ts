import type { RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll } from './redis-commands.ts';
import { isId, randomId } from './redis-entry.ts';
import { namespaceName } from './redis-keys.ts';

/**
 * A namespace is one hash. Since all of it is in one key, it is lost as a whole or not at all, and nothing that was written in a lost generation is seen again.
 *
 * ```
 * g       the generation: its id, another one after each `clear`
 * n       the sequence: how many times tags were invalidated in this generation
 * t<tag>  the sequence of the tag's last invalidation
 * f       the floor: the highest sequence among tags that were dropped to bound the hash
 * ```
 */
const FIELDS = ['g', 'n', 'f'];

/** Past as many tags, the half that was invalidated longest ago is dropped. */
const MAX_TAGS = 4_096;

/** What was read of a namespace in one step. */
export interface RedisNamespace {
  readonly generation: string;
  readonly sequence: number;
  readonly floor: number;
  /** The sequence of each tag that was asked for; `undefined` when there is none. */
  readonly tags: ReadonlyMap<string, number | undefined>;
}

/** In a Cluster with `scaleReads`, plain reads may go to a replica that lags behind; scripts go to the master. */
const READ = /*@__PURE__*/ redisScript(`
local values = {}
for i = 1, #ARGV do values[i] = redis.call('HGET', KEYS[1], ARGV[i]) end
return values`);

const INVALIDATE = /*@__PURE__*/ redisScript(`
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
for i = 1, #ARGV do redis.call('HSET', KEYS[1], 't' .. ARGV[i], n) end
if redis.call('HLEN', KEYS[1]) <= ${MAX_TAGS + FIELDS.length} then return n end
local all = redis.call('HGETALL', KEYS[1])
local tags = {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 't' then tags[#tags + 1] = { all[i], tonumber(all[i + 1]) } end
end
table.sort(tags, function (a, b) return a[2] < b[2] end)
local dropped = #tags - ${MAX_TAGS / 2}
for i = 1, dropped do redis.call('HDEL', KEYS[1], tags[i][1]) end
redis.call('HSET', KEYS[1], 'f', tags[dropped][2])
return n`);

const CLEAR = /*@__PURE__*/ redisScript(`
redis.call('DEL', KEYS[1])
return redis.call('HSET', KEYS[1], 'g', ARGV[1])`);

/** The hashes of all namespaces under a prefix. */
export class RedisNamespaces {
  readonly #redis: RedisClient;
  readonly #prefix: string;

  constructor(redis: RedisClient, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** The command whose reply {@link parse} takes. */
  reading(namespace: string, tags: readonly string[]): RedisCommand {
    const args = [namespaceName(this.#prefix, namespace), ...FIELDS, ...tags.map((tag) => `t${tag}`)];
    return { run: this.#redis.isCluster === true ? READ : 'hmget', args };
  }

  /** `undefined` when Redis has no such namespace, or no longer. */
  parse(reply: unknown, tags: readonly string[]): RedisNamespace | undefined {
    const [generation, sequence, floor, ...values] = reply as (Buffer | null)[];
    const id = generation?.toString('latin1') ?? '';
    if (!isId(id)) return undefined;
    return {
      generation: id,
      sequence: Number(sequence ?? 0),
      floor: Number(floor ?? 0),
      tags: new Map(tags.map((tag, index) => [tag, numberOf(values[index])])),
    };
  }

  async read(namespace: string, tags: readonly string[]): Promise<RedisNamespace> {
    const [reply] = await runAll(this.#redis, [this.reading(namespace, tags)]);
    return this.parse(reply, tags) ?? this.create(namespace, tags);
  }

  /** The first generation of a namespace, or the next one after Redis has lost it. */
  async create(namespace: string, tags: readonly string[]): Promise<RedisNamespace> {
    await runAll(this.#redis, [{ run: 'hsetnx', args: [namespaceName(this.#prefix, namespace), 'g', randomId()] }]);
    const [reply] = await runAll(this.#redis, [this.reading(namespace, tags)]);
    const created = this.parse(reply, tags);
    if (created === undefined) throw new Error('Redis did not keep the generation of the namespace');
    return created;
  }

  async invalidateTags(namespace: string, tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    await runAll(this.#redis, [{ run: INVALIDATE, args: [namespaceName(this.#prefix, namespace), ...tags] }]);
  }

  async clear(namespace: string): Promise<void> {
    await runAll(this.#redis, [{ run: CLEAR, args: [namespaceName(this.#prefix, namespace), randomId()] }]);
  }
}

/** Whether none of the tags was invalidated after `sequence`. All of them must have been asked for. */
export function areTagsValid(tags: readonly string[], sequence: number, namespace: RedisNamespace): boolean {
  // Nothing at all was: the usual case.
  if (namespace.sequence <= sequence) return true;
  return tags.every((tag) => (namespace.tags.get(tag) ?? namespace.floor) <= sequence);
}

/** The tags that must be asked for before {@link areTagsValid} can answer. */
export function unknownTags(tags: readonly string[], sequence: number, namespace: RedisNamespace): readonly string[] {
  if (namespace.sequence <= sequence) return [];
  return tags.filter((tag) => !namespace.tags.has(tag));
}

function numberOf(value: Buffer | null | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
