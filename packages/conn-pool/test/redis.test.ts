import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { type RedisServer, startRedis } from '@perf/testkit';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type RedisPoolOptions, redisPool, redisTransaction } from '../src/redis.ts';

let server: RedisServer;
let admin: Redis;
let pools: ConnectionPool<Redis>[] = [];

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});
beforeEach(() => admin.flushall());
afterEach(async () => {
  await Promise.all(pools.map((each) => each.close({ force: true })));
  pools = [];
  await until(async () => (await pooled()).length === 0);
});

const until = (check: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await check()).toBe(true), { timeout: 20_000, interval: 10 });

/** The connections of pools that the server sees. */
async function pooled(): Promise<string[]> {
  const list = (await admin.client('LIST')) as string;
  return list.split('\n').filter((line) => line.includes('name=pooled'));
}

async function pooledIds(): Promise<string[]> {
  return (await pooled()).map((line) => line.split(' ')[0] ?? '');
}

describe.each([
  ['ioredis 6', Redis as unknown as typeof Redis],
  ['ioredis 5', Redis5 as unknown as typeof Redis],
])('redisPool() over %s', (_, Client) => {
  function pool(options: Partial<RedisPoolOptions<Redis>> = {}): ConnectionPool<Redis> {
    const made = redisPool({
      client: () => new Client(server.url, { lazyConnect: true, connectionName: 'pooled' }),
      max: 1,
      ...options,
    });
    pools.push(made);
    return made;
  }
  const id = (connections: ConnectionPool<Redis>) => connections.use((redis) => redis.client('ID'));

  test('lends a connection, and the same one again', async () => {
    const connections = pool();
    expect(await connections.use((redis) => redis.set('a', '1'))).toBe('OK');
    expect(await connections.use((redis) => redis.get('a'))).toBe('1');
    expect(await pooled()).toHaveLength(1);
  });

  test('takes clients that connect by themselves', async () => {
    const connections = pool({ client: () => new Client(server.url, { connectionName: 'pooled' }) });
    expect(await connections.use((redis) => redis.ping())).toBe('PONG');
  });

  test('clears what a caller leaves behind, on the same connection', async () => {
    const connections = pool();
    const first = await id(connections);
    await connections.use((redis) => redis.watch('a'));
    await admin.set('a', 'changed');
    expect(await connections.use((redis) => redis.multi().get('a').exec())).toEqual([[null, 'changed']]);
    await connections.use(async (redis) => {
      await redis.multi({ pipeline: false });
      await redis.set('a', 'queued');
    });
    expect(await connections.use((redis) => redis.get('a'))).toBe('changed');
    await connections.use((redis) => redis.select(3));
    expect(await connections.use((redis) => redis.get('a'))).toBe('changed');
    await connections.use((redis) => redis.call('SELECT', 3));
    expect(await connections.use((redis) => redis.get('a'))).toBe('changed');
    expect(await id(connections)).toBe(first);
  });

  test('goes back to the database it was made for', async () => {
    const connections = pool({
      client: () => new Client(server.url, { lazyConnect: true, connectionName: 'pooled', db: 2 }),
    });
    await connections.use((redis) => redis.set('a', 'in 2'));
    await connections.use((redis) => redis.select(5));
    expect(await connections.use((redis) => redis.get('a'))).toBe('in 2');
  });

  test('unsubscribes, and takes the listeners of the caller off', async () => {
    const connections = pool();
    const first = await id(connections);
    const heard: string[] = [];
    await connections.use(async (redis) => {
      redis.on('message', (channel, message) => heard.push(`${channel} ${message}`));
      await redis.subscribe('news', 'weather');
      await redis.psubscribe('n*');
      await admin.publish('weather', 'rain');
      await until(() => heard.length === 1);
    });
    expect(await connections.use((redis) => redis.incr('n'))).toBe(1);
    expect(await admin.publish('news', 'nobody')).toBe(0);
    expect(heard).toEqual(['weather rain']);
    expect(await id(connections)).toBe(first);
  });

  test('waits for commands nobody waited for, and replaces a connection that a command blocks', async () => {
    const connections = pool();
    const first = await id(connections);
    await connections.use((redis) => void redis.set('a', 'late'));
    expect(await connections.use((redis) => redis.get('a'))).toBe('late');
    expect(await id(connections)).toBe(first);
    const lease = await connections.acquire();
    const blocked = lease.connection.blpop('empty', 0);
    lease.release();
    await expect(blocked).rejects.toThrow();
    expect(await id(connections)).not.toBe(first);
    await until(async () => (await pooled()).length === 1);
  });

  test.each<[string, (redis: Redis) => Promise<unknown>]>([
    ['CLIENT NO-EVICT', (redis) => redis.call('CLIENT', 'NO-EVICT', 'ON')],
    ['READONLY', (redis) => redis.readonly().catch(() => {})],
    ['RESET', (redis) => redis.call('RESET').catch(() => {})],
    ['QUIT', (redis) => redis.quit()],
    ['a disconnect', async (redis) => redis.disconnect()],
  ])('replaces a connection after %s', async (__, spoil) => {
    const connections = pool();
    const first = await id(connections);
    await connections.use(spoil);
    expect(await id(connections)).not.toBe(first);
  });

  test('keeps blocking commands apart: as many wait as there are connections', async () => {
    const connections = pool({ max: 3 });
    const popped = Promise.all(['a', 'b', 'c'].map((key) => connections.use((redis) => redis.blpop(key, 0))));
    await until(async () => (await pooled()).filter((line) => line.includes('cmd=blpop')).length === 3);
    for (const key of ['a', 'b', 'c']) await admin.rpush(key, 'x');
    expect(await popped).toEqual([
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'x'],
    ]);
    await until(() => connections.stats().idle === 3);
  });

  test('a killed connection is replaced: an idle one at once, a lent one when its caller has heard of it', async () => {
    const connections = pool({ max: 2, min: 1 });
    await connections.warmUp();
    const before = await id(connections);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until(() => connections.stats().destroyed === 1);
    expect(await id(connections)).not.toBe(before);
    const blocked = connections.use((redis) => redis.blpop('empty', 0));
    const failing = expect(blocked).rejects.toThrow('Connection is closed');
    await until(async () => (await pooled()).some((line) => line.includes('cmd=blpop')));
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await failing;
    expect(await connections.use((redis) => redis.ping())).toBe('PONG');
  });

  test('the pool recovers from a killed server under load, and none of its connections is too many', async () => {
    const connections = pool({ max: 4 });
    const outcomes = { ok: 0, failed: 0 };
    let stop = false;
    const work = async (): Promise<void> => {
      while (!stop) {
        await connections
          .use((redis) => redis.incr('n'))
          .then(
            () => outcomes.ok++,
            () => outcomes.failed++,
          );
      }
    };
    const workers = Array.from({ length: 16 }, work);
    await until(() => outcomes.ok > 200);
    await server.kill();
    await server.restart();
    const { ok } = outcomes;
    await until(() => outcomes.ok > ok + 200);
    stop = true;
    await Promise.all(workers);
    // At most what was on the way.
    expect(outcomes.failed).toBeLessThanOrEqual(8);
    expect(connections.stats()).toMatchObject({ inUse: 0, waiting: 0 });
    await until(async () => (await pooled()).length === connections.stats().size);
  });

  test('callers wait no longer than they said while the server hangs', async () => {
    const connections = pool({
      max: 2,
      acquireTimeout: 200,
      validateTimeout: 50,
      validateAfterIdle: 0,
      createTimeout: 100,
    });
    await connections.use((redis) => redis.ping());
    server.pause();
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => connections.use((redis) => redis.ping())));
    server.resume();
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' } });
    }
    await until(async () => (await connections.use((redis) => redis.ping()).catch(() => '')) === 'PONG');
  });

  test('replaces all connections when their server became a replica', async () => {
    const connections = pool({ max: 2, min: 2 });
    await connections.warmUp();
    const before = new Set(await pooledIds());
    expect(before.size).toBe(2);
    await admin.replicaof('127.0.0.1', 1);
    try {
      await expect(connections.use((redis) => redis.set('a', '1'))).rejects.toThrow('READONLY');
      await until(async () => {
        const now = await pooledIds();
        return now.length === 2 && !now.some((each) => before.has(each));
      });
    } finally {
      await admin.replicaof('NO', 'ONE');
    }
    expect(await connections.use((redis) => redis.set('a', '1'))).toBe('OK');
  });

  test('says why it cannot connect', async () => {
    const connections = pool({
      client: () => new Client({ port: 1, host: '127.0.0.1', lazyConnect: true }),
      acquireTimeout: 100,
    });
    await expect(connections.acquire()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    const locked = pool({
      client: () => new Client(server.url, { lazyConnect: true, username: 'nobody', password: 'wrong' }),
      acquireTimeout: 100,
    });
    await expect(locked.acquire()).rejects.toMatchObject({ cause: { message: expect.stringContaining('WRONGPASS') } });
  });

  describe('redisTransaction()', () => {
    const increment = async (connections: ConnectionPool<Redis>, attempts = 100) =>
      redisTransaction(
        connections,
        {
          watch: ['counter'],
          prepare: async (redis) => {
            const now = Number(await redis.get('counter'));
            return redis.multi().set('counter', now + 1);
          },
        },
        { attempts },
      );

    test('does what was read for, again when somebody was faster', async () => {
      const connections = pool({ max: 5 });
      await Promise.all(Array.from({ length: 20 }, () => increment(connections)));
      expect(await admin.get('counter')).toBe('20');
    });

    test('gives up when others are always faster, and leaves nothing watched', async () => {
      const connections = pool();
      const losing = redisTransaction(
        connections,
        {
          watch: ['counter'],
          prepare: async (redis) => {
            await admin.incr('counter');
            return redis.multi().set('counter', -1);
          },
        },
        { attempts: 3 },
      );
      await expect(losing).rejects.toMatchObject({ code: 'PERF_CONN_POOL_REDIS_TRANSACTION_CONFLICT', attempts: 3 });
      expect(await admin.get('counter')).toBe('3');
    });

    test('does nothing when there is nothing to do, or prepare throws', async () => {
      const connections = pool();
      expect(await redisTransaction(connections, { watch: ['a'], prepare: () => undefined })).toBe(undefined);
      const error = new Error('no');
      const throwing = redisTransaction(connections, { watch: ['a'], prepare: () => Promise.reject(error) });
      await expect(throwing).rejects.toBe(error);
      await admin.set('a', 'changed');
      expect(await connections.use((redis) => redis.multi().get('a').exec())).toEqual([[null, 'changed']]);
    });
  });
});

test('bad options are refused', async () => {
  for (const watch of [undefined, 'stock']) {
    const work = { watch, prepare: () => undefined } as never;
    await expect(redisTransaction({} as never, work)).rejects.toThrow('`watch` must be an array of keys');
  }
  expect(() => redisPool({ max: 1 } as never)).toThrow('`client` must be a function, got undefined');
  expect(() => redisPool({ client: () => admin, max: 1, reset: () => {} } as never)).toThrow(
    'redisPool has no option `reset`',
  );
  const wrong = redisPool({ client: () => ({}) as Redis, max: 1, acquireTimeout: 50 });
  await expect(wrong.acquire()).rejects.toMatchObject({
    cause: { message: '`client` must make a `Redis` of ioredis 5 or 6' },
  });
  await wrong.close();
  const same = redisPool({ client: () => admin, max: 2, onCreateError: 'reject-head' });
  const lease = await same.acquire();
  await expect(same.acquire()).rejects.toMatchObject({ cause: { code: 'PERF_CONN_POOL_DUPLICATE_CONNECTION' } });
  expect(await lease.connection.ping()).toBe('PONG');
  lease.release();
});

test('a process that has closed its pool ends by itself', async () => {
  const code = `import { redisPool } from '@perf/conn-pool/redis'; import { Redis } from 'ioredis';
    const pool = redisPool({ client: () => new Redis('${server.url}', { lazyConnect: true }), max: 2 });
    await pool.use((redis) => redis.ping()); await pool.close();`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const child = execFile(process.execPath, ['--input-type=module', '-e', code], { cwd, timeout: 20_000 });
  expect(await once(child, 'exit')).toEqual([0, null]);
});
