import { describe, expect, test } from 'vitest';
import { ConnectionPool } from '../src/index.ts';

const good = { create: () => 1, destroy: () => {}, max: 2 };

describe('bad options', () => {
  test.each<[object, string]>([
    [{ max: 0 }, '`max` must be a positive integer, got 0'],
    [{ max: undefined }, '`max` must be a positive integer, got undefined'],
    [{ max: '5' }, '`max` must be a positive integer, got "5"'],
    [{ min: -1 }, '`min` must be a non-negative integer, got -1'],
    [{ min: 3 }, '`min` must be a number from 0 to 2, got 3'],
    [{ create: undefined }, '`create` must be a function, got undefined'],
    [{ destroy: 5 }, '`destroy` must be a function, got 5'],
    [{ validate: true }, '`validate` must be a function, got true'],
    [{ maxWaiting: 0 }, '`maxWaiting` must be a positive integer or Infinity, got 0'],
    [{ acquireTimeout: 0 }, '`acquireTimeout` must be a positive number of milliseconds or Infinity, got 0'],
    [{ maxLifetime: null }, '`maxLifetime` must be a positive number of milliseconds or Infinity, got null'],
    [{ validateAfterIdle: -1 }, '`validateAfterIdle` must be a positive number of milliseconds or Infinity, got -1'],
    [{ order: 'random' }, "`order` must be one of 'lifo', 'fifo', got \"random\""],
    [{ clock: {} }, '`clock` must be an object with a method `now`, got an object'],
    [{ min: NaN }, '`min` must be a non-negative integer, got NaN'],
    [{ max: NaN }, '`max` must be a positive integer, got NaN'],
    [{ maxUses: 0 }, '`maxUses` must be a positive integer or Infinity, got 0'],
    [{ maxUses: 1.5 }, '`maxUses` must be a positive integer or Infinity, got 1.5'],
    [
      { onCreateError: 'reject' },
      "`onCreateError` must be one of 'retry', 'reject-head', 'reject-all', got \"reject\"",
    ],
    [{ keepaliveInterval: 0 }, '`keepaliveInterval` must be a positive number of milliseconds or Infinity, got 0'],
    [{ keepaliveInterval: 1_000 }, '`keepaliveInterval` needs `validate`, got undefined'],
    [{ isFailover: 'ECONNRESET' }, '`isFailover` must be a function, got "ECONNRESET"'],
    [{ durationMetric: '' }, '`durationMetric` must be a non-empty string, got ""'],
    [{ name: '' }, '`name` must be a non-empty string, got ""'],
    [{ maxSize: 3 }, 'ConnectionPool has no option `maxSize`'],
  ])('%o are refused by name and value', (options, message) => {
    expect(() => new ConnectionPool({ ...good, ...options } as never)).toThrow(message);
  });

  test('of acquire() reject', async () => {
    const pool = new ConnectionPool(good);
    await expect(pool.acquire({ timeout: -5 })).rejects.toThrow('`timeout` must be a positive number');
    await expect(pool.acquire({ priority: NaN })).rejects.toThrow('`priority` must be a number');
    await expect(pool.acquire({ prio: 1 } as object)).rejects.toThrow('acquire() has no option `prio`');
    await expect(pool.use(5 as never)).rejects.toThrow('`fn` must be a function');
    expect(pool.stats()).toMatchObject({ waiting: 0, inUse: 0, created: 0 });
    await pool.close();
  });

  test('of close() and warmUp() reject, and close nothing', async () => {
    const pool = new ConnectionPool(good);
    for (const options of [null, 5, [], { now: true }, { force: 'yes' }, { force: null }, { timeout: 0 }]) {
      await expect(pool.close(options as never)).rejects.toThrow(/close\(\)|`force`|`timeout`/);
    }
    await expect(pool.warmUp(null as never)).rejects.toThrow('warmUp() takes an options object, got null');
    expect(pool.closed).toBe(false);
    await pool.close();
  });

  test('a signal that is none costs no connection', async () => {
    const pool = new ConnectionPool(good);
    for (const signal of [null, {}] as AbortSignal[]) {
      await expect(pool.acquire({ signal })).rejects.toThrow('`signal` must be an AbortSignal');
      await expect(pool.warmUp({ signal })).rejects.toThrow('`signal` must be an AbortSignal');
    }
    expect(pool.stats()).toMatchObject({ waiting: 0, inUse: 0, created: 0 });
    await pool.close();
  });
});

test.each([undefined, null, 5, [good]])('%o is no options object', (options) => {
  expect(() => new ConnectionPool(options as never)).toThrow('ConnectionPool takes an options object');
});

test('acquire() is refused in the tick of close(), and who came before is served', async () => {
  const pool = new ConnectionPool(good);
  const before = pool.acquire();
  const closed = pool.close();
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED', name: 'ClosedError' });
  (await before).release();
  await closed;
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
});

test('options left undefined have their defaults, and the object is not changed', async () => {
  const options = Object.freeze({ ...good, min: undefined, idleTimeout: undefined, name: undefined });
  const pool = new ConnectionPool(options);
  expect(pool.name).toBe('conn-pool');
  expect(await pool.use((connection) => connection)).toBe(1);
  await pool.close();
});
