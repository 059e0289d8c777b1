import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type LeaseAnswer, StoreError, type StoreWrite, TieredCache } from '../src/index.ts';
import { type SqliteStore, type SqliteStoreOptions, SqliteStoreError, sqliteStore } from '../src/sqlite.ts';
import { storeContract } from './contract/store-contract.ts';
import { FakeStore } from './fake-store.ts';

const run = promisify(execFile);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url));
const write = (key: string, bytes: string | Buffer = 'v', rest: Partial<StoreWrite> = {}): StoreWrite => ({
  key,
  bytes: Buffer.from(bytes),
  ttl: Infinity,
  ...rest,
});

let folder: string;
let path: string;
const opened: SqliteStore[] = [];
const open = (options: Partial<SqliteStoreOptions> = {}): SqliteStore => {
  const store = sqliteStore({ path, ...options });
  opened.push(store);
  return store;
};
const textOf = async (store: SqliteStore, key: string): Promise<string | undefined> => {
  const [entry] = await store.getMany('test', [key]);
  return entry?.bytes && Buffer.from(entry.bytes).toString();
};
const versionOf = async (store: SqliteStore, key: string): Promise<string> =>
  (await store.getMany('test', [key]))[0]?.version as string;
const failure = (code: string): unknown => expect.objectContaining({ name: 'SqliteStoreError', code, path });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'perf-sqlite-'));
  path = join(folder, 'cache.db');
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

storeContract(
  'sqliteStore',
  async () => {
    const shared = mkdtempSync(join(tmpdir(), 'perf-sqlite-'));
    const stores = [
      sqliteStore({ path: join(shared, 'a.db') }),
      sqliteStore({ path: pathToFileURL(join(shared, 'a.db')), synchronous: 'full' }),
    ] as const;
    const close = async (): Promise<void> => {
      await Promise.all(stores.map((store) => store.close()));
      rmSync(shared, { recursive: true });
    };
    return { stores, wait, close };
  },
  { leases: true },
);

storeContract(
  'sqliteStore in memory',
  async () => {
    const store = sqliteStore({ path: ':memory:' });
    return { stores: [store, store], wait, close: () => store.close() };
  },
  { leases: true },
);

test('behaves as a store in memory does', async () => {
  const key = fc.constantFrom('a', 'b');
  const namespace = fc.constantFrom('n', 'm');
  const tags = fc.subarray(['x', 'y', 'z']);
  const ttl = fc.constantFrom(1, 10, Infinity);
  const step = fc.record({
    does: fc.constantFrom(
      'read',
      'read',
      'set',
      'fenced',
      'leased',
      'delete',
      'clear',
      'tags',
      'lease',
      'extend',
      'release',
      'wait',
    ),
    namespace,
    key,
    tags,
    ttl,
  });
  vi.useFakeTimers({ toFake: ['Date'] });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    await using real = sqliteStore({ path: ':memory:' });
    const model = new FakeStore(() => Date.now());
    const sides = [real, model].map((store) => ({
      store,
      read: new Map<string, string>(),
      lease: new Map<string, string>(),
    }));
    for (const [index, { does, namespace: space, key: name, tags: some, ttl: time }] of steps.entries()) {
      const outcomes = await Promise.all(
        sides.map(async ({ store, read, lease }): Promise<unknown> => {
          const id = `${space}/${name}`;
          const plain = { key: name, bytes: Buffer.from(String(index)), ttl: time, tags: some };
          const ifVersion = read.get(id) ?? '0';
          const held = { key: name, token: lease.get(id) ?? '0' };
          switch (does) {
            case 'set':
              return store.setMany(space, [plain]);
            case 'fenced':
              return store.setMany(space, [{ ...plain, ifVersion }]);
            case 'leased':
              return store.setMany(space, [{ ...plain, ifVersion, lease: held.token }]);
            case 'delete':
              return store.deleteMany(space, [name]);
            case 'clear':
              return store.clear(space);
            case 'tags':
              return store.invalidateTags(space, some);
            case 'lease': {
              const ends = Math.min(time, 20);
              const [answer] =
                (await store.leases?.acquire(space, [{ key: name, version: ifVersion, ttl: ends }])) ?? [];
              if (answer?.token === undefined) return answer;
              read.set(id, answer.version);
              lease.set(id, answer.token);
              return 'got';
            }
            case 'extend':
              return store.leases?.extend(space, [held], 5);
            case 'release':
              return store.leases?.release(space, [held]);
            case 'wait':
              return undefined;
            case 'read': {
              const [entry] = await store.getMany(space, [name]);
              read.set(id, entry?.version as string);
              return { ...entry, version: undefined, bytes: entry?.bytes && Buffer.from(entry.bytes).toString() };
            }
          }
        }),
      );
      expect(outcomes[0]).toEqual(outcomes[1]);
      if (does === 'wait') vi.advanceTimersByTime(Math.min(time, 5));
    }
  });
  await fc.assert(property, { numRuns: 400 });
});

test.each([
  ['keys', (name: string): StoreWrite => write(name)],
  ['tags', (name: string): StoreWrite => write(`key ${name.codePointAt(0)} ${name.length}`, 'v', { tags: [name] })],
])('%s with lone surrogates, which UTF-8 makes alike, are told apart', async (_what, make) => {
  const names = ['\ud800', '\udc00', '\ufffd', '\ufffd\ufffd', '\ufffd#"\\ud800"', 'plain'];
  const store = open();
  for (const name of names) {
    // oxlint-disable-next-line no-await-in-loop
    await store.setMany(name, [make(name)]);
    // oxlint-disable-next-line no-await-in-loop
    await store.setMany('test', [make(name)]);
  }
  const [first = ''] = names;
  await store.deleteMany(first, [make(first).key]);
  if (make(first).tags === undefined) await store.deleteMany('test', [make(first).key]);
  else await store.invalidateTags('test', [first]);
  const found = await Promise.all(
    names.map(async (name) => {
      const [there, own] = [await store.getMany('test', [make(name).key]), await store.getMany(name, [make(name).key])];
      return [there[0]?.bytes !== undefined, own[0]?.bytes !== undefined, ...(there[0]?.tags ?? [])];
    }),
  );
  expect(found).toEqual(
    names.map((name) => {
      const isThere = name !== first;
      return [isThere, isThere, ...(isThere ? (make(name).tags ?? []) : [])];
    }),
  );
});

describe('a file outlives its process', () => {
  test('a cache is warm after a restart', async () => {
    const first = open();
    await using before = new TieredCache<string, Map<string, number>>({ store: first, ttl: 60_000 });
    await before.getOrLoad('loaded', () => new Map([['n', 1]]));
    await before.set('set', new Map([['n', 2]]));
    await before.set('deleted', new Map());
    await before.delete('deleted');
    await before.close();
    await first.close();

    await using after = new TieredCache<string, Map<string, number>>({ store: open(), ttl: 60_000 });
    const loader = vi.fn((keys: readonly string[]) => new Map(keys.map((key) => [key, new Map()])));
    expect(await after.getOrLoadMany(['loaded', 'set', 'deleted'], loader)).toEqual(
      new Map([
        ['loaded', new Map([['n', 1]])],
        ['set', new Map([['n', 2]])],
        ['deleted', new Map()],
      ]),
    );
    expect(loader).toHaveBeenCalledExactlyOnceWith(['deleted'], expect.anything());
  });

  test('what was acknowledged is there after the process was killed while it wrote', async () => {
    const child = spawn(process.execPath, [fixture('sqlite-writer'), path, 'k', '1000000']);
    const acknowledged = await linesOf(child, 300);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const last = Math.max(...acknowledged.map(Number));
    const keys = Array.from({ length: last + 1 }, (_, index) => `k${index}`);
    const entries = await open().getMany('test', keys);
    for (const [index, entry] of entries.entries()) {
      expect(Buffer.from(entry.bytes ?? []).equals(Buffer.alloc(2_000, `k${index}`))).toBe(true);
    }
    expect(Number(await textOf(open(), 'total'))).toBeGreaterThan(last);
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    db.close();
  });

  test('processes share one file, from the moment it is made: nothing is lost, and a version is won once', async () => {
    const names = ['a', 'b', 'c'];
    await Promise.all(names.map((name) => run(process.execPath, [fixture('sqlite-writer'), path, name, '60'])));
    const store = open();
    const keys = names.flatMap((name) => Array.from({ length: 60 }, (_, index) => name + index));
    const entries = await store.getMany('test', keys);
    expect(entries.filter((entry) => entry.bytes?.length !== 2_000)).toEqual([]);
    expect(await textOf(store, 'total')).toBe('180');
  });
});

describe('leases among processes', () => {
  test('three load each key once', async () => {
    const log = join(folder, 'log');
    await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, [fixture('sqlite-lender'), path, log, '100'])),
    );
    const loads = readFileSync(log, 'utf8').trim().split('\n');
    expect(loads.toSorted()).toEqual(Array.from({ length: 100 }, (_, index) => `k${index}`).toSorted());
  });

  test('one whose holder was killed is another’s when its time is over', async () => {
    const store = open();
    const child = spawn(process.execPath, [fixture('sqlite-lessee'), path, '800']);
    const [token] = await linesOf(child, 1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const acquire = async (): Promise<LeaseAnswer | undefined> =>
      (await store.leases.acquire('test', [{ key: 'k', version: await versionOf(store, 'k'), ttl: 60_000 }]))[0];
    const [entry] = await store.getMany('test', ['k']);
    // Unless this machine took that long to get here.
    if ((entry?.leasedFor ?? 0) > 0) expect((await acquire())?.token).toBeUndefined();
    await wait(900);
    const next = await acquire();
    expect(next?.token).toBeDefined();
    expect(next?.token).not.toBe(token);
    const late = { ...write('k', 'late'), lease: token as string };
    expect(await store.setMany('test', [late])).toEqual([false]);
  });
});

test('a file may be made by many at the same moment', async () => {
  // An error in one of the threads ends the process with it.
  await run(process.execPath, ['--no-wasm-code-gc', fixture('sqlite-openers'), folder]);
  path = join(folder, '1.db');
  expect(await textOf(open(), 'k')).toBe('v');
});

/** The lines a process has written once there are `count`. */
async function linesOf(child: ChildProcess, count: number): Promise<string[]> {
  const lines: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on('line', (line) => {
    if (lines.push(line) >= count) resolve();
  });
  await promise;
  return lines;
}

describe('while another connection writes', () => {
  let other: DatabaseSync;
  beforeEach(async () => {
    await open().setMany('test', [write('k', 'old')]);
    other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
  });
  afterEach(() => other.close());

  test('reads go on, and a write waits without blocking the process', async () => {
    const store = open({ busyTimeout: 30_000 });
    const writing = store.setMany('test', [write('k', 'new')]);
    expect(await textOf(store, 'k')).toBe('old');
    await wait(30);
    other.exec('COMMIT');
    expect(await writing).toEqual([true]);
    expect(await textOf(store, 'k')).toBe('new');
  });

  test('a write gives up after `busyTimeout`, and when the store is closed', async () => {
    await expect(open({ busyTimeout: 20 }).clear('test')).rejects.toEqual(failure('PERF_CACHE_SQLITE_BUSY'));
    const store = open({ busyTimeout: 30_000 });
    const writing = store.deleteMany('test', ['k']);
    await store.close();
    await expect(writing).rejects.toMatchObject({ code: 'PERF_CACHE_CLOSED' });
  });
});

describe('room', () => {
  const block = Buffer.alloc(50_000, 'x');

  test('is made by removing what was written longest ago', async () => {
    const store = open({ maxBytes: 1024 * 1024 });
    for (let index = 0; index < 100; index++) {
      await store.setMany('test', [write(`k${index}`, block)]);
      if (index % 2 === 0) await store.setMany('test', [write('hot', String(index))]);
      expect(store.stats().bytes).toBeLessThanOrEqual(1024 * 1024);
    }
    expect([await textOf(store, 'k0'), await textOf(store, 'k70')]).toEqual([undefined, undefined]);
    expect([await textOf(store, 'hot'), (await textOf(store, 'k99'))?.length]).toEqual(['98', 50_000]);
    expect(store.stats().evicted).toBeGreaterThan(70);
    await store.close();
    expect(statSync(path).size).toBeLessThan(1.3 * 1024 * 1024);
  });

  test('is not given to an entry larger than half of it; the one it would replace goes all the same', async () => {
    const store = open({ maxBytes: 1024 * 1024 });
    await store.setMany('test', [write('small', 'kept'), write('k', 'old')]);
    expect(await store.setMany('test', [write('k', Buffer.alloc(600_000))])).toEqual([true]);
    expect([await textOf(store, 'k'), await textOf(store, 'small')]).toEqual([undefined, 'kept']);
    await using cache = new TieredCache<string, string>({ store });
    const loader = vi.fn(() => 'x'.repeat(600_000));
    await cache.getOrLoad('large', loader);
    await cache.getOrLoad('large', loader);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test('that has been taken away is given back in slices', async () => {
    await open({ maxBytes: Infinity }).setMany(
      'test',
      Array.from({ length: 3_000 }, (_, index) => write(`k${index}`, Buffer.alloc(1_000))),
    );
    const store = open({ maxBytes: 1024 * 1024, sweepInterval: 5 });
    expect(store.stats().bytes).toBeGreaterThan(2_000_000);
    await vi.waitFor(() => expect(store.stats().bytes).toBeLessThanOrEqual(1024 * 1024), { timeout: 20_000 });
    expect((await textOf(store, 'k2999'))?.length).toBe(1_000);
  });

  test('a write that was begun before is refused when its key has been pushed out meanwhile, others are not', async () => {
    const store = open({ maxBytes: 1024 * 1024 });
    const early = await versionOf(store, 'k');
    await store.setMany('test', [write('k', block)]);
    for (let index = 0; index < 30; index++) await store.setMany('test', [write(`k${index}`, block)]);
    const late = await versionOf(store, 'k');
    expect(await textOf(store, 'k')).toBeUndefined();
    expect(await store.setMany('test', [write('k', 'v', { ifVersion: early })])).toEqual([false]);
    expect(await store.setMany('test', [write('k', 'v', { ifVersion: late })])).toEqual([true]);
  });

  test('is made of tags and leases too, and brings nothing back', async () => {
    const store = open({ maxBytes: 1024 * 1024 });
    const version = await versionOf(store, 'absent');
    await store.setMany('test', [write('ended', 'old', { tags: ['first'] })]);
    await store.invalidateTags('test', ['first']);
    const [entry] = await store.getMany('test', ['lent']);
    const request = { key: 'lent', version: entry?.version as string, ttl: 60_000 };
    const [lease] = await store.leases.acquire('test', [request]);
    for (let round = 0; round < 40; round++) {
      // oxlint-disable-next-line no-await-in-loop
      await store.invalidateTags(
        'test',
        Array.from({ length: 500 }, (_, index) => `tag ${round} ${index} ${'x'.repeat(100)}`),
      );
      expect(store.stats().bytes).toBeLessThanOrEqual(1024 * 1024);
    }
    expect(await textOf(store, 'ended')).toBeUndefined();
    const outcomes = await store.setMany('test', [
      write('absent', 'old', { tags: ['first'], ifVersion: version }),
      write('lent', 'late', { lease: lease?.token as string }),
      write('untagged', 'v', { ifVersion: await versionOf(store, 'untagged') }),
    ]);
    expect(outcomes).toEqual([false, false, true]);
  });
});

describe('sweeping', () => {
  const rows = (table = 'entries'): number => {
    const db = new DatabaseSync(path);
    const count = db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count'];
    db.close();
    return Number(count);
  };
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  });

  test('removes what has expired and what was cleared, slice by slice, and nothing else', async () => {
    const store = open({ sweepInterval: 10_000, fenceFor: 1_000 });
    const many = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
    await store.setMany(
      'short',
      many.map((key) => write(key, 'v', { ttl: 5_000 })),
    );
    await store.setMany(
      'cleared',
      many.map((key) => write(key)),
    );
    await store.clear('cleared');
    await store.deleteMany('test', many);
    await store.setMany('test', [write('kept'), write('later', 'v', { ttl: 60_000 })]);
    expect(rows()).toBe(3_002);
    await vi.advanceTimersByTimeAsync(10_000);
    const afterOne = rows();
    expect(afterOne).toBeLessThan(3_002);
    expect(afterOne).toBeGreaterThan(2_000);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(rows()).toBe(2);
    expect([await textOf(store, 'kept'), await textOf(store, 'later')]).toEqual(['v', 'v']);
    expect(store.stats()).toMatchObject({ swept: 3_000, evicted: 0, sweepFailures: 0 });
  });

  test('a thousand clears in a row are as many small steps', async () => {
    const store = open({ sweepInterval: 1_000 });
    for (let index = 0; index < 1_000; index++) {
      // oxlint-disable-next-line no-await-in-loop
      await store.clear('test');
    }
    await store.setMany('test', [write('k')]);
    await vi.advanceTimersByTimeAsync(3_000);
    const db = new DatabaseSync(path);
    expect(db.prepare('SELECT count(*) AS count FROM graves').get()).toEqual({ count: 0 });
    db.close();
    expect(await textOf(store, 'k')).toBe('v');
    expect(store.stats()).toMatchObject({ swept: 0, sweepFailures: 0 });
  });

  test('what was read before a deletion is refused also when its mark has been swept', async () => {
    const store = open({ sweepInterval: 1_000, fenceFor: 500 });
    const [absent, other] = [await versionOf(store, 'k'), await versionOf(store, 'other')];
    await store.deleteMany('test', ['k']);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(rows()).toBe(0);
    expect(await store.setMany('test', [write('k', 'old', { ifVersion: absent })])).toEqual([false]);
    // Without the mark, the two can no longer be told apart.
    expect(await store.setMany('test', [write('other', 'old', { ifVersion: other })])).toEqual([false]);
    expect(await store.setMany('test', [write('k', 'new', { ifVersion: await versionOf(store, 'k') })])).toEqual([
      true,
    ]);
  });

  test('removes what a tag has ended, then the tag, and brings nothing back', async () => {
    const store = open({ sweepInterval: 10_000, fenceFor: 60_000 });
    const many = Array.from({ length: 500 }, (_, index) => index);
    await store.setMany(
      'test',
      many.map((index) => write(`k${index}`, 'v', { tags: [index % 2 === 0 ? 'even' : 'odd', 'all'] })),
    );
    const early = await versionOf(store, 'k');
    await store.invalidateTags('test', ['even', 'never used']);
    await store.setMany('test', [write('k0', 'newer', { tags: ['even'] })]);
    await vi.advanceTimersByTimeAsync(50_000);
    expect([rows(), rows('tags')]).toEqual([500, 2]);
    const young = await versionOf(store, 'k');
    await store.invalidateTags('test', ['young']);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([rows(), rows('tags')]).toEqual([251, 1]);
    expect(store.stats()).toMatchObject({ swept: 249, sweepFailures: 0 });
    expect([await textOf(store, 'k0'), await textOf(store, 'k1'), await textOf(store, 'k2')]).toEqual([
      'newer',
      'v',
      undefined,
    ]);
    const attempt = (key: string, ifVersion: string, tags: readonly string[]): Promise<readonly boolean[]> =>
      store.setMany('test', [write(key, 'old', { ifVersion, tags })]);
    // Ended by a tag that is forgotten: both the key and the tag are known to be unknown up to then.
    expect(await attempt('k2', early, [])).toEqual([false]);
    expect(await attempt('new', early, ['even'])).toEqual([false]);
    expect(await attempt('new', young, ['young'])).toEqual([false]);
    expect(await attempt('new', young, ['even'])).toEqual([true]);
  });

  test('looks for what tags have ended every five minutes at most', async () => {
    const store = open({ sweepInterval: 10_000, fenceFor: 1_000 });
    const end = async (): Promise<void> => {
      await store.setMany('test', [write('k', 'v', { tags: ['x'] })]);
      await store.invalidateTags('test', ['x']);
    };
    await end();
    await vi.advanceTimersByTimeAsync(10_100);
    expect([rows(), rows('tags')]).toEqual([0, 0]);
    await end();
    await vi.advanceTimersByTimeAsync(280_000);
    expect([rows(), rows('tags')]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([rows(), rows('tags')]).toEqual([0, 0]);
  });

  test('removes leases that are over, once their holders can no longer come back', async () => {
    const store = open({ sweepInterval: 10_000, fenceFor: 60_000 });
    const version = await versionOf(store, 'k');
    const [lease, slow] = await store.leases.acquire('test', [
      { key: 'k', version, ttl: 1_000 },
      { key: 'l', version, ttl: 1_000 },
    ]);
    await vi.advanceTimersByTimeAsync(50_000);
    // Late, but nobody else has got it since.
    expect(rows('leases')).toBe(2);
    expect(
      await store.setMany('test', [write('k', 'v', { ifVersion: version, lease: lease?.token as string })]),
    ).toEqual([true]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(rows('leases')).toBe(0);
    expect(
      await store.setMany('test', [write('l', 'v', { ifVersion: version, lease: slow?.token as string })]),
    ).toEqual([false]);
  });

  test('a clock that is set back ends leases, and nobody waits for them', async () => {
    const store = open();
    const version = await versionOf(store, 'k');
    await store.leases.acquire('test', [{ key: 'k', version, ttl: 1_000 }]);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect((await store.getMany('test', ['k']))[0]?.leasedFor).toBe(0);
    const [again] = await store.leases.acquire('test', [{ key: 'k', version, ttl: 1_000 }]);
    expect(again?.token).toBeDefined();
  });

  test('that fails is repeated', async () => {
    const store = open({ sweepInterval: 1_000, fenceFor: 500 });
    await store.setMany('test', [write('k', 'v', { ttl: 100 })]);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.stats()).toMatchObject({ swept: 0, sweepFailures: 1 });
    other.exec('COMMIT');
    other.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.stats()).toMatchObject({ swept: 1, sweepFailures: 1 });
  });

  test('ends with close, which may be repeated', async () => {
    const store = open({ sweepInterval: 1_000 });
    expect(vi.getTimerCount()).toBe(1);
    expect(store.closed).toBe(false);
    await Promise.all([store.close(), store.close()]);
    expect(store.closed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    expect(store.stats().bytes).toBeGreaterThan(0);
    const closed = { name: 'ClosedError', code: 'PERF_CACHE_CLOSED' };
    await expect(store.getMany('test', ['k'])).rejects.toMatchObject(closed);
    await expect(store.setMany('test', [write('k')])).rejects.toMatchObject(closed);
    await expect(store.clear('test')).rejects.toMatchObject(closed);
  });
});

describe('a file that is not as it should be', () => {
  test.each([
    ['text', (): void => writeFileSync(path, 'not a database, but long enough to look at. '.repeat(100))],
    ['the database of another application', (): void => exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)')],
    ['an earlier format', (): void => exec(`PRAGMA application_id = ${0x70726663}; PRAGMA user_version = 1`)],
    ['a later format', (): void => exec(`PRAGMA application_id = ${0x70726663}; PRAGMA user_version = 99`)],
  ])('%s is refused and left alone', (_what, make) => {
    make();
    const before = readFileSync(path);
    expect(() => open()).toThrow(failure('PERF_CACHE_SQLITE_FOREIGN') as Error);
    expect(readFileSync(path)).toEqual(before);
  });

  test('a folder, and a folder that is not there', () => {
    expect(() => open({ path: folder })).toThrow(expect.objectContaining({ code: 'PERF_CACHE_SQLITE_OPEN' }) as Error);
    path = join(folder, 'nowhere', 'cache.db');
    expect(() => open()).toThrow(failure('PERF_CACHE_SQLITE_OPEN') as Error);
  });

  test('damage is a typed error, at the latest of the call that meets it', async () => {
    const first = open();
    await first.setMany(
      'default',
      Array.from({ length: 500 }, (_, index) => write(`k${index}`, Buffer.alloc(500))),
    );
    await first.close();
    const file = readFileSync(path);
    writeFileSync(path, file.fill(0xaa, 4_096));
    const use = async (): Promise<unknown> => open().getMany('default', ['k1']);
    await expect(use()).rejects.toEqual(failure('PERF_CACHE_SQLITE_CORRUPT'));
  });

  test.each([
    ['a value', 'UPDATE entries SET bytes = zeroblob(length(bytes))'],
    ['a missing value', 'UPDATE entries SET bytes = NULL'],
    ['a key, which is another one now', "UPDATE entries SET key = 'l'"],
    ['a time to live', 'UPDATE entries SET expires = expires + 1000000'],
    ['tags', `UPDATE entries SET tags = '["y"]'`],
    ['tags that are none', `UPDATE entries SET tags = '{"x":1}'`],
    ['tags that are no JSON', `UPDATE entries SET tags = 'x'`],
    ['no tags', 'UPDATE entries SET tags = NULL'],
    ['a number', 'UPDATE entries SET seq = seq + 100'],
    ['a checksum', 'UPDATE entries SET sum = 1'],
  ])('an entry whose row is altered counts as none, and is written anew: %s', async (_what, sql) => {
    const store = open();
    await store.setMany('test', [write('k', 'v', { ttl: 60_000, tags: ['x'] })]);
    exec(sql);
    const entries = await store.getMany('test', ['k', 'l']);
    expect(entries.map((entry) => [entry.bytes, entry.ttl, entry.tags])).toEqual([
      [undefined, 0, []],
      [undefined, 0, []],
    ]);
    expect(store.stats().damaged).toBe(1);
    await store.invalidateTags('test', ['y']);
    await store.setMany('test', [write('k', 'new'), write('l', 'new')]);
    expect([await textOf(store, 'k'), await textOf(store, 'l')]).toEqual(['new', 'new']);
  });

  test('foreign bytes in a row are those of the store, not of the cache: they count as none there too', async () => {
    const store = open();
    await using cache = new TieredCache<string, string>({ store });
    for (const bytes of [Buffer.alloc(0), Buffer.from('text'), Buffer.alloc(100, 1), Buffer.alloc(100_000, 255)]) {
      // oxlint-disable-next-line no-await-in-loop
      await store.setMany('default', [write(`k${bytes.length}`, bytes)]);
      // oxlint-disable-next-line no-await-in-loop
      expect(await cache.getOrLoad(`k${bytes.length}`, () => 'loaded')).toBe('loaded');
    }
  });

  test('an empty file is a new one', async () => {
    writeFileSync(path, '');
    await open().setMany('test', [write('k')]);
    expect(await textOf(open(), 'k')).toBe('v');
  });

  function exec(sql: string): void {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
  }
});

describe('when nothing can be written', () => {
  beforeEach(async () => {
    const store = open();
    await using cache = new TieredCache<string, string>({ store });
    await cache.set('warm', 'warm');
    await store.setMany('test', [write('tagged', 'v', { tags: ['x'] })]);
    await cache.close();
    await store.close();
  });

  test.skipIf(process.platform === 'win32')('a read-only file is read; changes reject, loads do not', async () => {
    // Its folder can be written: SQLite keeps the log there.
    chmodSync(folder, 0o777);
    chmodSync(path, 0o444);
    const { stdout } = await run(process.execPath, [fixture('sqlite-refused'), path]);
    expect(JSON.parse(stdout)).toEqual({
      warm: 'warm',
      load: 'loaded',
      set: 'PERF_CACHE_STORE < PERF_CACHE_SQLITE_READ_ONLY',
      get: 1_000_000,
      delete: 'PERF_CACHE_STORE < PERF_CACHE_SQLITE_READ_ONLY',
      tags: 'PERF_CACHE_SQLITE_READ_ONLY',
      manyTags: 'PERF_CACHE_SQLITE_READ_ONLY',
      lease: 'PERF_CACHE_SQLITE_READ_ONLY',
      tagged: true,
    });
  });

  test.skipIf(process.platform === 'win32')('nor is a full disk in the way of loads', async () => {
    chmodSync(folder, 0o777);
    chmodSync(path, 0o666);
    // No file may grow beyond 64 KiB.
    const command = `ulimit -f 64; exec "${process.execPath}" "${fixture('sqlite-refused')}" "${path}"`;
    const { stdout } = await run('bash', ['-c', command]);
    const outcomes: unknown = JSON.parse(stdout);
    expect(outcomes).toMatchObject({ warm: 'warm', load: 'loaded', get: 1_000_000 });
    expect(outcomes).toMatchObject({
      set: expect.stringMatching(/^PERF_CACHE_STORE < PERF_CACHE_SQLITE_(FULL|FAILED)$/),
    });
    const full = expect.stringMatching(/^PERF_CACHE_SQLITE_(FULL|FAILED)$/);
    expect(outcomes).toMatchObject({ manyTags: full, tagged: true });
    expect(outcomes).not.toHaveProperty('deleted');
  });
});

test('an option that is undefined is one that is not there', async () => {
  const undefinedOnes = { maxBytes: undefined, sweepInterval: undefined, synchronous: undefined } as object;
  await sqliteStore({ path: ':memory:', fenceFor: 5_000, ...undefinedOnes }).close();
});

test('options are checked', () => {
  const bad: [Partial<Record<keyof SqliteStoreOptions, unknown>>, string][] = [
    [{ path: '' }, '`path`'],
    [{ maxBytes: 1_000 }, '`maxBytes` must be at least 1048576'],
    [{ maxBytes: NaN }, '`maxBytes`'],
    [{ sweepInterval: 0 }, '`sweepInterval`'],
    [{ fenceFor: Infinity }, '`fenceFor`'],
    [{ busyTimeout: -1 }, '`busyTimeout`'],
    [{ synchronous: 'off' }, '`synchronous`'],
    [{ maxSize: 1 } as object, 'no option `maxSize`'],
  ];
  for (const [options, message] of bad) {
    expect(() => sqliteStore({ path: ':memory:', ...options } as SqliteStoreOptions)).toThrow(message);
  }
});

test('a Node.js without node:sqlite is told so by a typed error, and only by this subpath', async () => {
  const script = `
    const urls = ${JSON.stringify([new URL('../src/index.ts', import.meta.url), new URL('../src/sqlite.ts', import.meta.url)])};
    await import(urls[0]);
    await import(urls[1]).catch((error) => console.log(error.name, error.code, error.message));`;
  const { stdout } = await run(process.execPath, ['--no-experimental-sqlite', '--input-type=module', '-e', script]);
  expect(stdout).toMatch(
    /^SqliteStoreError PERF_CACHE_SQLITE_UNSUPPORTED @perf\/cache\/sqlite needs node:sqlite: Node.js 22.13 or later/,
  );
});

test('what fails for the store is the cause of the StoreError of the cache', async () => {
  const store = open();
  await using cache = new TieredCache<string, string>({ store });
  await store.close();
  const error: unknown = await cache.set('k', 'v').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({ cause: { code: 'PERF_CACHE_CLOSED' } });
  expect(await cache.getOrLoad('other', () => 'loaded')).toBe('loaded');
  expect(new SqliteStoreError('busy', 'text')).toMatchObject({ code: 'PERF_CACHE_SQLITE_BUSY', path: undefined });
});
