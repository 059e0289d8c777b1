import type { RedisClient } from './redis-client.ts';
import { type RedisCommand, redisScript, runAll } from './redis-commands.ts';
import { LAYOUT, OPEN_ENTRY, packMark, randomId } from './redis-entry.ts';
import { entryName, entryPrefix } from './redis-keys.ts';
import type { RedisNamespaces } from './redis-namespace.ts';
import { packVersion, trustedUntil, unpackVersion } from './redis-version.ts';
import type { HeldLease, LeaseAnswer, LeaseRequest, StoreLeases } from './store.ts';

/** A key lives at least as long as its lease, and as what it may have to remember. */
const LIVE_ON = `
local function liveOn(life)
  local left = redis.call('PTTL', target)
  if left >= 0 and left < tonumber(life) then redis.call('PEXPIRE', target, life) end
end`;

/**
 * ARGV: the state that was read, the time until which it can be trusted or nothing, the holder, the lease's milliseconds, those that the key lives at least, and a placeholder for when
 * nothing is there. A lease of another generation has ended with that.
 */
const ACQUIRE = /*@__PURE__*/ redisScript(
  `${OPEN_ENTRY}${LIVE_ON}
if head ~= '' and holder() == ARGV[3] then return { 1, 0, now } end
if state ~= ARGV[1] then return { 0, 0, now } end
if ARGV[2] ~= '' and now >= tonumber(ARGV[2]) then return { 0, 0, now } end
if head ~= '' and leased() > now and string.sub(holder(), 1, #ARGV[3] / 2) == string.sub(ARGV[3], 1, #ARGV[3] / 2) then
  return { 0, math.ceil(leased() - now), now }
end
if head == '' then redis.call('SET', target, ARGV[6], 'PX', ARGV[5]) else change() end
redis.call('SETRANGE', target, ${LAYOUT.leased}, struct.pack('<d', now + ARGV[4]) .. ARGV[3])
liveOn(ARGV[5])
return { 1, 0, now }`,
  { changesEntry: true },
);

/** ARGV: the holder, and the lease's new milliseconds and those that the key lives at least, or nothing to end it. */
const HOLD = /*@__PURE__*/ redisScript(
  `${OPEN_ENTRY}${LIVE_ON}
if head == '' or holder() ~= ARGV[1] or leased() <= now then return 0 end
if ARGV[2] == '' and state == '' and target == KEYS[1] then return redis.call('DEL', target) end
change()
redis.call('SETRANGE', target, ${LAYOUT.leased}, struct.pack('<d', ARGV[2] == '' and 0 or now + ARGV[2]))
if ARGV[2] ~= '' then liveOn(ARGV[3]) end
return 1`,
  { changesEntry: true },
);

interface LeasesOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly namespaces: RedisNamespaces;
  readonly fenceFor: number;
}

/** A lease that is asked for. */
interface Asked {
  readonly command: RedisCommand;
  readonly generation: string;
  readonly answer: (readAt: number) => LeaseAnswer;
}

const CHANGED: LeaseAnswer = { token: undefined, leasedFor: 0 };

/** Leases, which live in the header of the entry or, where there is none, of a placeholder. A token is the generation and an id. */
export class RedisLeases implements StoreLeases {
  readonly #options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  async acquire(namespace: string, requests: readonly LeaseRequest[]): Promise<readonly LeaseAnswer[]> {
    const start = entryPrefix(this.#options.prefix, namespace);
    const asked = requests.map((request) => this.#ask(start, request));
    const commands = asked.flatMap((each) => each?.command ?? []);
    const { replies, generation } = await this.#run(namespace, commands);
    let next = 0;
    return asked.map((each) => {
      if (each === undefined) return CHANGED;
      const [isGiven, leasedFor, now] = (replies[next++] as unknown[]).map(Number) as [number, number, number];
      if (each.generation !== generation) return CHANGED;
      return isGiven === 1 ? each.answer(now) : { token: undefined, leasedFor };
    });
  }

  async extend(namespace: string, leases: readonly HeldLease[], ttl: number): Promise<readonly boolean[]> {
    const lasting = lastingOf(ttl);
    return this.#hold(namespace, leases, [lasting, Math.max(lasting, this.#options.fenceFor)]);
  }

  async release(namespace: string, leases: readonly HeldLease[]): Promise<void> {
    await this.#hold(namespace, leases, ['', '']);
  }

  async #hold(
    namespace: string,
    leases: readonly HeldLease[],
    terms: readonly (number | '')[],
  ): Promise<readonly boolean[]> {
    const start = entryPrefix(this.#options.prefix, namespace);
    const commands = leases.map(({ key, token }) => ({ run: HOLD, args: [entryName(start, key), token, ...terms] }));
    const { replies, generation } = await this.#run(namespace, commands);
    return leases.map(
      ({ token }, index) => Number(replies[index]) === 1 && generation !== undefined && token.startsWith(generation),
    );
  }

  /** A lease ends with its generation, so that is read after the commands. */
  async #run(
    namespace: string,
    commands: readonly RedisCommand[],
  ): Promise<{ readonly replies: readonly unknown[]; readonly generation: string | undefined }> {
    const { redis, namespaces } = this.#options;
    if (commands.length === 0) return { replies: [], generation: undefined };
    const asking = namespaces.reading(namespace, []);
    const isCluster = redis.isCluster === true;
    const replies = await runAll(redis, isCluster ? commands : [...commands, asking]);
    const [reply] = isCluster ? await runAll(redis, [asking]) : replies.slice(-1);
    return { replies, generation: namespaces.parse(reply, [])?.generation };
  }

  #ask(start: string, { key, version, ttl }: LeaseRequest): Asked | undefined {
    const { fenceFor } = this.#options;
    const read = unpackVersion(version);
    if (read === undefined) return undefined;
    const { generation } = read;
    const expected = Buffer.from(read.state, 'latin1');
    const token = generation + randomId();
    const lasting = lastingOf(ttl);
    const terms = [lasting, Math.max(lasting, fenceFor), packMark('P')];
    return {
      command: { run: ACQUIRE, args: [entryName(start, key), expected, trustedUntil(read, fenceFor), token, ...terms] },
      generation,
      // Nothing had happened to the key until now: the version is as good as one that is read now.
      answer: (readAt) => ({ token, version: packVersion({ ...read, readAt }) }),
    };
  }
}

/** Whole milliseconds that Redis takes. */
function lastingOf(ttl: number): number {
  return Math.min(Math.max(1, Math.ceil(ttl)), 2 ** 52);
}
