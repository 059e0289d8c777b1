import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConnectionPool, type ConnectionPoolOptions } from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';

let peer: FakePeer;

beforeEach(() => {
  vi.useFakeTimers();
  peer = new FakePeer();
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function makePool(options: Partial<ConnectionPoolOptions<FakeConnection>> = {}): ConnectionPool<FakeConnection> {
  return new ConnectionPool({ ...peer.callbacks, max: 1, name: 'orders', ...options });
}

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

async function outcome(promise: Promise<unknown>): Promise<string> {
  let is = 'pending';
  promise.then(
    () => (is = 'resolved'),
    (error: { code?: string; name: string }) => (is = error.code ?? error.name),
  );
  await pass();
  return is;
}

describe('close()', () => {
  test('of an idle pool destroys the connections and waits for them', async () => {
    peer.destroyDelay = 50;
    const pool = makePool({ min: 2, max: 2 });
    await pool.warmUp();
    const closed = pool.close();
    expect(await outcome(closed)).toBe('pending');
    await pass(50);
    expect(await outcome(closed)).toBe('resolved');
    expect(peer.live).toBe(0);
  });

  test('refuses work in the same tick, and is idempotent', async () => {
    const pool = makePool();
    const closed = pool.close();
    expect(pool.closed).toBe(true);
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_CLOSED',
      name: 'ClosedError',
      message: 'ConnectionPool "orders" is closed',
    });
    await expect(pool.use(() => {})).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    await expect(pool.warmUp()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    expect(pool.close()).toBe(closed);
    await closed;
    expect(pool.close()).toBe(closed);
    await pool[Symbol.asyncDispose]();
  });

  test('serves those who wait already, with connections given back and created', async () => {
    peer.createDelay = 20;
    const pool = makePool({ max: 2, maxConcurrentCreates: 1 });
    const held = pool.acquire();
    await pass(20);
    const first = pool.acquire();
    const second = pool.acquire();
    const closed = pool.close();
    (await held).release();
    expect(await outcome(first)).toBe('resolved');
    await pass(20);
    expect(await outcome(second)).toBe('resolved');
    (await first).release();
    (await second).release();
    await closed;
    expect(peer.live).toBe(0);
  });

  test('uses force after its timeout: a leaked lease does not hold it up', async () => {
    const pool = makePool();
    const leaked = await pool.acquire();
    const waiting = pool.acquire({ timeout: Infinity });
    const closed = pool.close({ timeout: 300 });
    await pass(299);
    expect(await outcome(waiting)).toBe('pending');
    await pass(1);
    expect(await outcome(waiting)).toBe('PERF_CONN_POOL_CLOSED');
    expect(await outcome(closed)).toBe('resolved');
    expect(peer.live).toBe(0);
    expect(() => leaked.connection).toThrow('ConnectionPool "orders" is closed');
    leaked.release();
    expect(() => leaked.release()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_LEASE_ENDED' }));
  });

  test('can be hurried by a second call', async () => {
    const pool = makePool();
    await pool.acquire();
    const closed = pool.close({ timeout: Infinity });
    await pass(100_000);
    void pool.close({ force: true });
    expect(await outcome(closed)).toBe('resolved');
  });

  test('settles although nothing answers: create, validate, destroy and a lease all hang', async () => {
    let hang = false;
    const never = new Promise<never>(() => {});
    const pool = makePool({
      max: 4,
      validateAfterIdle: 0,
      validate: () => (hang ? never : true),
      destroy: () => never,
      create: (ctx) => (hang ? never : peer.callbacks.create(ctx)),
    });
    const leaked = await pool.acquire();
    await pool.use(() => {});
    hang = true;
    const validating = outcome(pool.acquire());
    const creating = pool.acquire();
    await validating;
    expect(pool.stats()).toMatchObject({ inUse: 1, checking: 1, creating: 1 });
    const closed = pool.close({ force: true });
    expect(await outcome(creating)).toBe('PERF_CONN_POOL_CLOSED');
    await pass(5_000);
    expect(await outcome(closed)).toBe('resolved');
    leaked.release();
    expect(pool.stats()).toMatchObject({ size: 0, waiting: 0 });
  });

  test('aborts a create nobody waits for, and destroys what comes of it all the same', async () => {
    peer.createDelay = 50;
    let signal: AbortSignal | undefined;
    const pool = makePool({
      create: (ctx) => {
        ({ signal } = ctx);
        return peer.callbacks.create(ctx);
      },
    });
    const left = pool.acquire({ timeout: 10 });
    left.catch(() => {});
    await pass(10);
    const closed = pool.close();
    expect(signal?.aborted).toBe(true);
    await pass(49);
    expect(await outcome(closed)).toBe('resolved');
    expect(peer).toMatchObject({ creates: 1, destroys: 1, live: 0 });
  });

  test('destroys a connection that comes after it has settled', async () => {
    peer.createDelay = 20_000;
    const pool = makePool({ min: 1 });
    await pass();
    const closed = pool.close();
    await pass(5_000);
    expect(await outcome(closed)).toBe('resolved');
    await pass(20_000);
    expect(peer).toMatchObject({ creates: 1, destroys: 1, live: 0 });
  });

  test('ends while the peer is down', async () => {
    peer.down = new Error('down');
    const pool = makePool({ min: 1 });
    const waiting = pool.acquire({ timeout: 1_000 });
    waiting.catch(() => {});
    const closed = pool.close();
    await pass(999);
    expect(await outcome(closed)).toBe('pending');
    await pass(1);
    expect(await outcome(waiting)).toBe('PERF_CONN_POOL_ACQUIRE_TIMEOUT');
    expect(await outcome(closed)).toBe('resolved');
  });

  test('leaves nothing behind that would keep the process alive, and neither does an open pool nobody waits for', async () => {
    vi.useRealTimers();
    const timers = () => process.getActiveResourcesInfo().filter((each) => /Timeout|Immediate/.test(each)).length;
    await new Promise((resolve) => setImmediate(resolve));
    const before = timers();
    const pool = makePool({
      min: 2,
      max: 4,
      validate: () => true,
      keepaliveInterval: 1_000,
      leakThreshold: 60_000,
      onLeak: () => {},
    });
    await pool.warmUp();
    await pool.use(() => {});
    const lease = await pool.acquire();
    peer.down = new Error('down');
    peer.connections[1]?.lost();
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers()).toBe(before);
    lease.release();
    await pool.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers()).toBe(before);
    vi.useFakeTimers();
  });

  test('refuses bad options, and closes nothing then', async () => {
    const pool = makePool();
    await expect(pool.close({ timeout: 0 })).rejects.toThrow('`timeout` must be a positive number of milliseconds');
    await expect(pool.close({ fast: true } as object)).rejects.toThrow('no option `fast`');
    expect(pool.closed).toBe(false);
    await pool.close();
  });
});
