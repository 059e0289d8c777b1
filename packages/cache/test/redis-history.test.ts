import { type RedisClusterServers, type RedisServer, startRedis, startRedisCluster } from '@perf/testkit';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisClient, type RedisStore, redisStore, redisTracking } from '../src/redis.ts';

let server: RedisServer;
let cluster: RedisClusterServers;
const closing: (() => void)[] = [];
function kept<C extends { disconnect(): void; on(event: 'error', listener: () => void): unknown }>(client: C): C {
  client.on('error', () => {});
  closing.unshift(() => client.disconnect());
  return client;
}

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});
afterAll(async () => {
  for (const close of closing) close();
  await Promise.all([server.stop(), cluster.stop()]);
});

const kinds: [name: string, connect: () => RedisClient][] = [
  ['one Redis', () => kept(new Redis(server.url))],
  [
    'one Redis that tracks',
    () => {
      const client = kept(new Redis(server.url));
      const tracking = redisTracking(client);
      tracking.subscribe({ onMessage() {}, onConnected() {}, onDisconnected() {} });
      closing.unshift(() => void tracking.close());
      return client;
    },
  ],
  ['a Cluster', () => kept(new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))))],
];

test.each(kinds)(
  'whatever runs at once, nothing is read that had ended when the reading began: %s',
  async (name, connect) => {
    const stores = Array.from({ length: 4 }, () => redisStore(connect(), { fenceFor: 2_000 }));
    const history = new History(stores, `history-${name.length}`);
    const changing = [history.change(150), history.change(150)];
    const all = Promise.all(changing).then(() => (history.done = true));
    await Promise.all([
      all,
      ...Array.from({ length: 6 }, () => history.read()),
      ...Array.from({ length: 8 }, () => history.load()),
    ]);
    expect(history.errors).toEqual([]);
    // It was about something.
    for (const what of ['hit', 'miss', 'written', 'refused', 'leased', 'no lease']) {
      expect(history.counts.get(what) ?? 0, what).toBeGreaterThan(20);
    }
  },
);

interface Loaded {
  readonly key: number;
  readonly clears: number;
  readonly tags: Readonly<Record<string, number>>;
}

/** What was changed how often, and how often so that it was acknowledged: what is read must be from after that. */
class Truth {
  readonly #made = new Map<string, number>();
  readonly #acknowledged = new Map<string, number>();

  made(what: string): number {
    return this.#made.get(what) ?? 0;
  }

  acknowledged(what: string): number {
    return this.#acknowledged.get(what) ?? 0;
  }

  async change(what: string, work: (count: number) => Promise<unknown>): Promise<void> {
    const count = this.made(what) + 1;
    this.#made.set(what, count);
    await work(count);
    this.#acknowledged.set(what, Math.max(this.acknowledged(what), count));
  }
}

class History {
  readonly errors: string[] = [];
  readonly counts = new Map<string, number>();
  done = false;
  readonly #stores: readonly RedisStore[];
  readonly #namespace: string;
  readonly #truth = new Truth();
  readonly #changing = new Set<string>();
  readonly #keys = ['k0', 'k1', 'k2', 'k3', 'k4'];
  readonly #tags = ['t0', 't1', 't2'];

  constructor(stores: readonly RedisStore[], namespace: string) {
    this.#stores = stores;
    this.#namespace = namespace;
  }

  async read(): Promise<void> {
    while (!this.done) {
      const keys = [pick(this.#keys), pick(this.#keys)];
      const least = new Map([...keys, ...this.#tags, 'all'].map((what) => [what, this.#truth.acknowledged(what)]));
      const hints = Math.random() < 0.5 ? { tags: [pick(this.#tags)] } : undefined;
      const entries = await pick(this.#stores).getMany(this.#namespace, keys, hints);
      for (const [index, { bytes }] of entries.entries()) {
        this.#count(bytes === undefined ? 'miss' : 'hit');
        if (bytes !== undefined) this.#check(keys[index] as string, JSON.parse(String(bytes)) as Loaded, least);
      }
      await pause();
    }
  }

  async load(): Promise<void> {
    while (!this.done) {
      await this.#loadOnce(pick(this.#stores), pick(this.#keys));
      await pause();
    }
  }

  async change(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      const store = pick(this.#stores);
      const kind = Math.random();
      if (kind < 0.5) await this.#changeKey(store, pick(this.#keys));
      else if (kind < 0.95) await this.#invalidate(store, pick(this.#tags));
      else await this.#truth.change('all', () => store.clear(this.#namespace));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 6));
    }
  }

  /** One change of a key at a time: which of two would be the last nobody could tell. */
  async #changeKey(store: RedisStore, key: string): Promise<void> {
    if (this.#changing.has(key)) return;
    this.#changing.add(key);
    await this.#truth.change(key, (count) => {
      if (Math.random() < 0.7) return store.deleteMany(this.#namespace, [key]);
      const value: Loaded = { key: count, clears: Number.MAX_SAFE_INTEGER, tags: {} };
      return store.setMany(this.#namespace, [{ key, bytes: Buffer.from(JSON.stringify(value)), ttl: 5_000 }]);
    });
    this.#changing.delete(key);
  }

  async #invalidate(store: RedisStore, tag: string): Promise<void> {
    await this.#truth.change(tag, () => store.invalidateTags(this.#namespace, [tag]));
  }

  async #loadOnce(store: RedisStore, key: string): Promise<void> {
    const [entry] = await store.getMany(this.#namespace, [key]);
    let held: { version: string; lease?: string } = { version: entry?.version as string };
    if (Math.random() < 0.6) {
      const request = { key, version: held.version, ttl: pick([3, 50, 500]) };
      const [answer] = await store.leases.acquire(this.#namespace, [request]);
      this.#count(answer?.token === undefined ? 'no lease' : 'leased');
      if (answer?.token === undefined) return;
      held = { version: answer.version, lease: answer.token };
    }
    const tags = this.#tags.filter(() => Math.random() < 0.4);
    const value: Loaded = {
      key: this.#truth.made(key),
      clears: this.#truth.made('all'),
      tags: Object.fromEntries(tags.map((tag) => [tag, this.#truth.made(tag)])),
    };
    await pause();
    const { version: ifVersion, lease } = held;
    if (lease !== undefined && Math.random() < 0.1)
      return store.leases.release(this.#namespace, [{ key, token: lease }]);
    const write = { key, bytes: Buffer.from(JSON.stringify(value)), ttl: pick([5, 100, 10_000]), tags, ifVersion };
    const least = this.#truth.acknowledged(key);
    const [written] = await store.setMany(this.#namespace, [{ ...write, ...(lease && { lease }) }]);
    this.#count(written === true ? 'written' : 'refused');
    if (written === true && value.key < least) this.errors.push(`${key} was written after it had changed`);
  }

  #check(key: string, value: Loaded, least: ReadonlyMap<string, number>): void {
    const found = new Map([[key, value.key], ['all', value.clears], ...Object.entries(value.tags)]);
    for (const [what, count] of found) {
      if (count < (least.get(what) as number)) this.errors.push(`${key} of ${what} ${count}, not ${least.get(what)}`);
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    if (Math.random() < 0.3) setTimeout(resolve, Math.random() * 8);
    else setImmediate(resolve);
  });
}
