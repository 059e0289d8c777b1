import { randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { JOB_NAME, JOB_OPTIONS, type JobData, jobId } from './durable-job.ts';
import type { DurableKeys } from './durable-keys.ts';
import { type DeadLetter, type StoredLetter, readLetter } from './durable-letter.ts';
import { type DurableScript, durableScript, runScript } from './durable-script.ts';

const PAGE = 100;

/**
 * Forgets how an operation came out, if it is the dead letter given. KEYS: dead letters, record. ARGV: idempotency key, letter. The letter stays until it has been sent again.
 */
const REVIVE: DurableScript = durableScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
return 1`);

/** Removes a dead letter, if it is still the one given: meanwhile it may have failed again. KEYS: index, dead letters. ARGV: idempotency key, letter. */
const REMOVE: DurableScript = durableScript(`
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1`);

/** Idempotency keys and times from a time on. KEYS: index. ARGV: time, how many. A script, as protocols differ in how they answer the command. */
const LIST: DurableScript = durableScript(
  `return redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])`,
);

/** Operations that failed for good. */
export class DurableDeadLetters {
  readonly #redis: Redis;
  readonly #keys: DurableKeys;
  readonly #producer: string;

  constructor(redis: Redis, keys: DurableKeys, producer: string) {
    this.#redis = redis;
    this.#keys = keys;
    this.#producer = producer;
  }

  /** Those there are (`ask` is how Redis is asked), the oldest first, a page at a time. What comes or goes meanwhile may or may not be among them. */
  async *list<Op>(ask: <T>(work: () => Promise<T>) => Promise<T>): AsyncGenerator<DeadLetter<Op>, void, undefined> {
    let from = '-inf';
    let seen = new Set<string>();
    for (;;) {
      const limit = PAGE + seen.size;
      const input = { keys: [this.#keys.deadIndex], args: [from, limit] };
      const entries = pairs((await ask(() => runScript(this.#redis, LIST, input))) as string[]);
      const fresh = entries.filter(([key]) => !seen.has(key)).map(([key]) => key);
      if (fresh.length === 0) return;
      const letters = await ask(() => this.#redis.hmget(this.#keys.deadLetters, ...fresh));
      for (const letter of letters) if (letter !== null) yield readLetter<Op>(letter);
      const last = (entries.at(-1) as [string, string])[1];
      // Scores are times: others of the same millisecond may be on the next page.
      seen = new Set(entries.filter(([, score]) => score === last).map(([key]) => key));
      from = last;
    }
  }

  /** Puts the operation at the end of its partition. Dying in the middle leaves the letter, to be replayed again. */
  async replay(key: string, queues: readonly Queue[]): Promise<boolean> {
    const letter = await this.#redis.hget(this.#keys.deadLetters, key);
    if (letter === null) return false;
    const { p, op } = JSON.parse(letter) as StoredLetter;
    const revive = { keys: [this.#keys.deadLetters, this.#keys.record(key)], args: [key, letter] };
    if ((await runScript(this.#redis, REVIVE, revive)) !== 1) return false;
    const data: JobData = { from: this.#producer, ops: [op] };
    await (queues[p] as Queue).add(JOB_NAME, data, { ...JOB_OPTIONS, jobId: jobId(randomUUID(), 1) });
    await this.#remove(key, letter);
    return true;
  }

  /** Removes the letter, and what was known of its key. */
  async discard(key: string): Promise<boolean> {
    const letter = await this.#redis.hget(this.#keys.deadLetters, key);
    if (letter === null) return false;
    const revive = { keys: [this.#keys.deadLetters, this.#keys.record(key)], args: [key, letter] };
    if ((await runScript(this.#redis, REVIVE, revive)) !== 1) return false;
    return this.#remove(key, letter);
  }

  async #remove(key: string, letter: string): Promise<boolean> {
    const input = { keys: [this.#keys.deadIndex, this.#keys.deadLetters], args: [key, letter] };
    return (await runScript(this.#redis, REMOVE, input)) === 1;
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[2 * index] as string,
    flat[2 * index + 1] as string,
  ]);
}
