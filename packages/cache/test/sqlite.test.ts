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
import { StoreError, type StoreWrite, TieredCache } from '../src/index.ts';
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
  const step = fc.oneof(
    fc.record({ does: fc.constant('read' as const), namespace, key }),
    fc.record({ does: fc.constant('set' as const), namespace, key, ttl: fc.constantFrom(1, 10, Infinity) }),
    fc.record({ does: fc.constant('fenced' as const), namespace, key }),
    fc.record({ does: fc.constant('delete' as const), namespace, key }),
    fc.record({ does: fc.constant('clear' as const), namespace, key }),
    fc.record({ does: fc.constant('wait' as const), namespace, key, ttl: fc.constantFrom(1, 5) }),
  );
  vi.useFakeTimers({ toFake: ['Date'] });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    await using real = sqliteStore({ path: ':memory:' });
    const model = new FakeStore(() => Date.now());
    const both = [real, model];
    const versions = new Map<string, string[]>();
    for (const [index, { does, namespace: space, key: name, ...rest }] of steps.entries()) {
      const plain = { key: name, bytes: Buffer.from(String(index)), ttl: 'ttl' in rest ? rest.ttl : 10 };
      const known = versions.get(space + name);
      const outcomes = await Promise.all(
        both.map(async (store, at): Promise<unknown> => {
          if (does === 'set') return store.setMany(space, [plain]);
          if (does === 'fenced' && known) return store.setMany(space, [{ ...plain, ifVersion: known[at] as string }]);
          if (does === 'delete') return store.deleteMany(space, [name]);
          if (does === 'clear') return store.clear(space);
          const [entry] = await store.getMany(space, [name]);
          return entry;
        }),
      );
      const texts = outcomes.map((outcome) =>
        outcome !== null && typeof outcome === 'object' && 'bytes' in outcome
          ? String(outcome.bytes && Buffer.from(outcome.bytes as Uint8Array))
          : JSON.stringify(outcome),
      );
      expect(texts[0]).toBe(texts[1]);
      if (does === 'read')
        versions.set(
          space + name,
          outcomes.map((entry) => (entry as { version: string }).version),
        );
      if (does === 'wait' && 'ttl' in rest) vi.advanceTimersByTime(rest.ttl);
    }
  });
  await fc.assert(property, { numRuns: 150 });
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
});

describe('sweeping', () => {
  const rows = (): number => {
    const db = new DatabaseSync(path);
    const count = db.prepare('SELECT count(*) AS count FROM entries').get()?.['count'];
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
    expect(outcomes).not.toHaveProperty('deleted');
  });
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
