import { checkDuration, checkName, checkOptions } from '@perf/core';
import type { RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll, runScripts } from './redis-commands.ts';
import { STATE_SIZE, packTombstone, packValue, randomId, stateOf, unpackValue } from './redis-entry.ts';
import type { Store, StoreEntry, StoreWrite } from './store.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What every key starts with; no `:` in it. @default 'perf' */
  readonly prefix?: string;
  /**
   * Milliseconds for which changes of a key are remembered. A value whose load took longer is not kept; each entry stays in Redis at least this long.
   * @default 60_000
   */
  readonly fenceFor?: number;
}

/** Redis's own clock, which its expiry follows too: milliseconds. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** Bytes, remaining milliseconds and the time, in one step. A key of another type holds nothing of ours. */
const READ = /*@__PURE__*/ redisScript(`${NOW}
local raw = redis.pcall('GET', KEYS[1])
if type(raw) == 'table' then return {false, -2, now} end
return {raw, redis.call('PTTL', KEYS[1]), now}`);

/**
 * Compare and set: ARGV are the state that was read, the new value, its milliseconds or nothing, and the time from which on a deletion might be forgotten, so
 * that a command that was held up on the way does no harm.
 */
const WRITE = /*@__PURE__*/ redisScript(`${NOW}
if now >= tonumber(ARGV[4]) then return 0 end
local state = redis.pcall('GETRANGE', KEYS[1], 0, ${STATE_SIZE - 1})
if type(state) == 'table' then state = '' end
if state ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`);

/** Past this Redis could not add the time of day. */
const LONGEST_TTL: number = 2 ** 52;

/**
 * Keeps values in Redis, on a client of yours (ioredis 5 or 6, standalone or Cluster), which stays yours to close. Entries are the strings `prefix:namespace:key`.
 *
 * A read is one round trip for all keys, and so is a deletion. A `clear` is one write whatever the namespace holds: each namespace has a generation, every value carries the one it was written in, and
 * values of another are not seen. `KEYS` and `SCAN` are never used.
 *
 * @throws RangeError or TypeError naming the option that is wrong
 */
export function redisStore(redis: RedisClient, options: RedisStoreOptions = {}): Store {
  checkOptions('redisStore', options, ['prefix', 'fenceFor']);
  const { prefix = 'perf', fenceFor = 60_000 } = options;
  if (checkName('prefix', prefix).includes(':')) {
    throw new RangeError(`\`prefix\` must not contain a colon, got ${JSON.stringify(prefix)}`);
  }
  checkDuration('fenceFor', fenceFor);
  if (!Number.isSafeInteger(fenceFor)) throw new RangeError(`\`fenceFor\` must be finite and whole, got ${fenceFor}`);
  return new RedisStore(redis, { prefix, fenceFor });
}

class RedisStore implements Store {
  readonly #redis: RedisClient;
  readonly #prefix: string;
  readonly #fenceFor: number;

  constructor(redis: RedisClient, { prefix, fenceFor }: Required<RedisStoreOptions>) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#fenceFor = fenceFor;
  }

  async getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]> {
    const { results, then } = await runScripts(this.#redis, READ, {
      calls: keys.map((key) => [this.#entryKey(namespace, key)]),
      then: [['GET', this.#generationKey(namespace)]],
    });
    const generation = idOf(then[0]) ?? (await this.#newGeneration(namespace));
    return results.map((result) => {
      const [raw, pttl, readAt] = result as [Buffer | null, number, number];
      const version = packVersion({ generation, readAt, state: stateOf(raw) });
      const value = raw === null ? undefined : unpackValue(raw);
      const ttl = pttl === -1 ? Infinity : pttl - (value?.overtime ?? 0);
      const isThere = value !== undefined && value.generation === generation && ttl > 0;
      return { bytes: isThere ? value.bytes : undefined, ttl, version };
    });
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    const fenced = writes.filter((write) => write.ifVersion !== undefined);
    const plain = writes.filter((write) => write.ifVersion === undefined);
    const written = await this.#setFenced(namespace, fenced);
    await this.#setPlain(namespace, plain);
    return writes.map((write) => write.ifVersion === undefined || written.has(write));
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    const commands = keys.map((key): RedisCommand => [
      'SET',
      this.#entryKey(namespace, key),
      packTombstone(),
      'PX',
      this.#fenceFor,
    ]);
    await runAll(this.#redis, commands);
  }

  async clear(namespace: string): Promise<void> {
    await runAll(this.#redis, [['SET', this.#generationKey(namespace), randomId()]]);
  }

  /** @returns the writes that were carried out */
  async #setFenced(namespace: string, writes: readonly StoreWrite[]): Promise<ReadonlySet<StoreWrite>> {
    if (writes.length === 0) return new Set();
    const known = writes.map((write) => ({ write, version: unpackVersion(write.ifVersion as string) }));
    const { results, then } = await runScripts(this.#redis, WRITE, {
      calls: known.map(({ write, version }) => {
        const { value, px } = this.#packed(write, version.generation);
        return [this.#entryKey(namespace, write.key), version.state, value, px ?? '', version.readAt + this.#fenceFor];
      }),
      // Read last: if the namespace was cleared before the writes, they went to a generation of the past.
      then: [['GET', this.#generationKey(namespace)]],
    });
    const generation = idOf(then[0]);
    const isWritten = (index: number): boolean =>
      results[index] === 1 && known[index]?.version.generation === generation;
    return new Set(known.filter((_, index) => isWritten(index)).map(({ write }) => write));
  }

  async #setPlain(namespace: string, writes: readonly StoreWrite[]): Promise<void> {
    if (writes.length === 0) return;
    const [found] = await runAll(this.#redis, [['GET', this.#generationKey(namespace)]]);
    const generation = idOf(found) ?? (await this.#newGeneration(namespace));
    const commands = writes.map((write): RedisCommand => {
      const { value, px } = this.#packed(write, generation);
      const key = this.#entryKey(namespace, write.key);
      return px === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', px];
    });
    await runAll(this.#redis, commands);
  }

  /** The first generation of a namespace, or the next one after Redis has lost it: random, so that nothing older is seen again. */
  async #newGeneration(namespace: string): Promise<string> {
    const key = this.#generationKey(namespace);
    const [, generation] = await runAll(this.#redis, [
      ['SET', key, randomId(), 'NX'],
      ['GET', key],
    ]);
    const id = idOf(generation);
    if (id === undefined) throw new Error('Redis did not keep the generation of the namespace');
    return id;
  }

  #packed({ bytes, ttl }: StoreWrite, generation: string): { readonly value: Buffer; readonly px: number | undefined } {
    if (ttl >= LONGEST_TTL) return { value: packValue({ generation, overtime: 0, bytes }), px: undefined };
    const whole = Math.max(1, Math.floor(ttl));
    const px = Math.max(whole, this.#fenceFor);
    return { value: packValue({ generation, overtime: px - whole, bytes }), px };
  }

  #entryKey(namespace: string, key: string): string {
    return `${this.#prefix}:${namespace}:${key}`;
  }

  /** No entry has this key, since a namespace is never empty. */
  #generationKey(namespace: string): string {
    return `${this.#prefix}::${namespace}`;
  }
}

/** What a version stands for: the state of the key, in a generation, at a time of Redis's clock. */
interface Version {
  readonly generation: string;
  readonly readAt: number;
  readonly state: Buffer;
}

function packVersion({ generation, readAt, state }: Version): string {
  return `${generation}/${readAt}/${state.toString('latin1')}`;
}

function unpackVersion(version: string): Version {
  const [generation = '', readAt = ''] = version.split('/', 2);
  const state = version.slice(generation.length + readAt.length + 2);
  return { generation, readAt: Number(readAt), state: Buffer.from(state, 'latin1') };
}

function idOf(reply: unknown): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : undefined;
}
