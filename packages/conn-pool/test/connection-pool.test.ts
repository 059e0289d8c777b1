import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConnectionPool, type ConnectionPoolOptions, LeaseEndedError } from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';

let peer: FakePeer;
let pools: ConnectionPool<FakeConnection>[];

beforeEach(() => {
  vi.useFakeTimers();
  peer = new FakePeer();
  pools = [];
});

afterEach(async () => {
  vi.restoreAllMocks();
  peer.down = undefined;
  await Promise.all([...pools.map((pool) => pool.close({ force: true })), vi.advanceTimersByTimeAsync(60_000)]);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function makePool(options: Partial<ConnectionPoolOptions<FakeConnection>> = {}): ConnectionPool<FakeConnection> {
  const pool = new ConnectionPool({ ...peer.callbacks, max: 1, ...options });
  pools.push(pool);
  return pool;
}

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

/** What has become of a promise by now. */
function watch<T>(promise: Promise<T>): { value?: T; error?: unknown; settled: boolean } {
  const outcome: { value?: T; error?: unknown; settled: boolean } = { settled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, settled: true }),
    (error: unknown) => Object.assign(outcome, { error, settled: true }),
  );
  return outcome;
}

describe('a lease', () => {
  test('gives a connection, which serves the next caller after its release', async () => {
    const pool = makePool();
    const first = await pool.acquire();
    const { connection } = first;
    first.release();
    const second = await pool.acquire();
    expect(second.connection).toBe(connection);
    expect(peer.creates).toBe(1);
    second.release();
  });

  test('cannot be released twice, and the caller that has the connection now keeps it alone', async () => {
    const pool = makePool();
    const a = await pool.acquire();
    a.release();
    const b = await pool.acquire();
    const c = watch(pool.acquire());
    expect(() => a.release()).toThrow(LeaseEndedError);
    expect(() => a.discard()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_LEASE_ENDED' }));
    expect(() => a.connection).toThrow(LeaseEndedError);
    await pass();
    expect(c.settled).toBe(false);
    expect(b.connection.alive).toBe(true);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 0, waiting: 1 });
    b.release();
    await pass();
    expect(c.value?.connection.id).toBe(0);
  });

  test('is released at the end of a using block, unless it ended before', async () => {
    const pool = makePool();
    {
      using lease = await pool.acquire();
      expect(lease.ended).toBe(false);
    }
    {
      using lease = await pool.acquire();
      lease.discard();
    }
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0, created: 1, destroyed: 1 });
  });

  test('that is discarded ends its connection and makes room for another', async () => {
    const onError = vi.fn();
    const pool = makePool({ onError });
    const lease = await pool.acquire();
    const next = watch(pool.acquire());
    const reason = new Error('desynchronised');
    lease.discard(reason);
    await pass();
    expect(next.value?.connection.id).toBe(1);
    expect(onError.mock.calls).toEqual([[reason, 'use']]);
  });

  test('lends falsy and primitive connections too', async () => {
    const pool = new ConnectionPool<number>({ create: () => 0, destroy: () => {}, max: 1 });
    const lease = await pool.acquire();
    expect(lease.connection).toBe(0);
    lease.release();
    expect(pool.stats().idle).toBe(1);
    await pool.close();
  });
});

describe('use()', () => {
  test('gives the connection back whether its function returns or throws', async () => {
    const pool = makePool();
    expect(await pool.use((connection) => connection.id)).toBe(0);
    await expect(pool.use(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0, created: 1 });
  });

  test('ends the connection after an error that is fatal', async () => {
    const onError = vi.fn();
    const pool = makePool({ onError, isFatal: (error) => (error as Error).message === 'gone' });
    const gone = new Error('gone');
    await expect(pool.use(() => Promise.reject(new Error('harmless')))).rejects.toThrow('harmless');
    await expect(pool.use(() => Promise.reject(gone))).rejects.toBe(gone);
    expect(await pool.use((connection) => connection.id)).toBe(1);
    expect(onError.mock.calls).toEqual([[gone, 'use']]);
  });
});

describe('waiting', () => {
  test('is first come, first served, and a caller that comes at the moment of a release does not overtake', async () => {
    const pool = makePool();
    const order: string[] = [];
    const take = (name: string) => pool.use(() => void order.push(name));
    const held = await pool.acquire();
    const waiters = ['1', '2', '3'].map(take);
    held.release();
    waiters.push(take('barger'));
    await Promise.all(waiters);
    expect(order).toEqual(['1', '2', '3', 'barger']);
  });

  test('serves higher priorities first, and the same priority in order', async () => {
    const pool = makePool();
    const order: string[] = [];
    const held = await pool.acquire();
    const take = (name: string, priority?: number) => pool.use(() => void order.push(name), { priority });
    const all = [take('a'), take('low', -1), take('urgent', 5), take('b'), take('urgent too', 5)];
    held.release();
    await Promise.all(all);
    expect(order).toEqual(['urgent', 'urgent too', 'a', 'b', 'low']);
  });

  test('leaves no hole when one in the middle gives up, and eats no wake-up', async () => {
    const pool = makePool();
    const held = await pool.acquire();
    const controller = new AbortController();
    const first = watch(pool.acquire());
    const middle = watch(pool.acquire({ signal: controller.signal }));
    const short = watch(pool.acquire({ timeout: 5 }));
    const last = watch(pool.acquire());
    const reason = { why: 'changed my mind' };
    controller.abort(reason);
    await pass(5);
    expect(middle.error).toBe(reason);
    expect(short.error).toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      waited: 5,
      timeout: 5,
      max: 1,
      inUse: 1,
    });
    held.release();
    await pass();
    first.value?.release();
    await pass();
    expect(last.value?.connection.id).toBe(0);
    last.value?.release();
    expect(pool.stats()).toMatchObject({ waiting: 0, idle: 1, acquireTimeouts: 1 });
  });

  test('refuses the caller above maxWaiting, and keeps nothing of it', async () => {
    const pool = makePool({ maxWaiting: 1, name: 'orders' });
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_QUEUE_FULL',
      pending: 1,
      limit: 1,
      message: 'the queue of "orders" is full: 1 waiting, limit 1',
    });
    held.release();
    (await waiting).release();
    expect(pool.stats()).toMatchObject({ refused: 1, waiting: 0 });
  });

  test('does not begin for a signal that is aborted already, even when a connection is free', async () => {
    const pool = makePool();
    await pool.use(() => {});
    const reason = new Error('too late');
    await expect(pool.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0 });
  });

  test('leaves no listener on the signal of a served caller', async () => {
    const pool = makePool();
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, 'removeEventListener');
    const add = vi.spyOn(signal, 'addEventListener');
    const lease = await pool.acquire({ signal });
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
    lease.release();
    (await pool.acquire({ signal })).release();
    expect(add).toHaveBeenCalledTimes(1);
  });

  test('is not overtaken while the connection of the first one is validated and a fresh one is idle', async () => {
    const validate = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 50));
    const pool = makePool({ max: 2, order: 'fifo', validate, validateAfterIdle: 500 });
    const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
    a.release();
    await pass(500);
    b.release();
    const first = watch(pool.acquire());
    const second = watch(pool.acquire());
    await pass();
    expect(first.value?.connection.id).toBe(1);
    expect(second.settled).toBe(false);
    await pass(50);
    expect(second.value?.connection.id).toBe(0);
  });

  test('needs no timer when a connection is free', async () => {
    const pool = makePool({ idleTimeout: Infinity, maxLifetime: Infinity });
    await pool.use(() => {});
    const timer = vi.spyOn(globalThis, 'setTimeout');
    for (let i = 0; i < 10; i++) await pool.use(() => {}, { timeout: 100 });
    expect(timer).not.toHaveBeenCalled();
  });

  test('keeps the async context of the caller, and create that of the pool', async () => {
    const storage = new AsyncLocalStorage<string>();
    const contexts: unknown[] = [];
    const { create } = peer.callbacks;
    const pool = makePool({
      create: (ctx) => {
        contexts.push(storage.getStore());
        return create(ctx);
      },
    });
    const held = await storage.run('first', () => pool.acquire());
    const waiting = storage.run('second', async () => {
      await pool.acquire();
      return storage.getStore();
    });
    storage.run('releaser', () => held.release());
    expect(await waiting).toBe('second');
    expect(contexts).toEqual([undefined]);
  });

  test('tells how long callers waited', async () => {
    const pool = makePool();
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await pass(40);
    held.release();
    (await waiting).release();
    await pool.use(() => {});
    const stats = pool.stats();
    expect(stats.acquired).toBe(3);
    expect(stats.waitMax).toBe(40);
    expect(stats.waitP50).toBe(0);
  });
});

describe('creating', () => {
  test('belongs to the pool: a connection whose caller timed out serves the next', async () => {
    peer.createDelay = 60;
    const pool = makePool({ acquireTimeout: 50 });
    const gaveUp = watch(pool.acquire());
    await pass(50);
    expect(gaveUp.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' });
    await pass(10);
    expect(pool.stats()).toMatchObject({ idle: 1, created: 1, destroyed: 0 });
    const lease = await pool.acquire();
    expect(lease.connection.id).toBe(0);
    lease.release();
  });

  test.each([59.9, 60])('has one outcome when the caller aborts at %d ms of 60', async (at) => {
    peer.createDelay = 60;
    const pool = makePool();
    const controller = new AbortController();
    const outcome = watch(pool.acquire({ signal: controller.signal }));
    setTimeout(() => controller.abort(), at);
    await pass(100);
    expect(outcome.settled).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 1, waiting: 0, idle: outcome.error ? 1 : 0 });
    outcome.value?.release();
  });

  test('is left out for callers whom released connections serve', async () => {
    const pool = makePool({ max: 50, maxConcurrentCreates: 2 });
    const held = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    for (const lease of held) lease.release();
    const before = peer.creates;
    peer.createDelay = 150;
    let done = 0;
    const work = Array.from({ length: 50 }, () =>
      pool.use(async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        done++;
      }),
    );
    await pass(22);
    expect(done).toBe(50);
    await pass(1_000);
    await Promise.all(work);
    expect(peer.creates - before).toBe(2);
    expect(pool.stats()).toMatchObject({ idle: 7, waiting: 0 });
  });

  test('never goes above max, nor above maxConcurrentCreates at a time', async () => {
    peer.createDelay = 10;
    const pool = makePool({ max: 7, maxConcurrentCreates: 3 });
    const outcomes = Array.from({ length: 20 }, () => watch(pool.acquire()));
    await pass(100);
    expect(outcomes.filter((each) => each.settled)).toHaveLength(7);
    expect(peer.peak).toBe(7);
    expect(peer.peakCreating).toBe(3);
  });

  test('that throws at once neither throws out of acquire() nor loses the place', async () => {
    let calls = 0;
    const pool = makePool({
      create: () => {
        calls++;
        throw new Error('no route');
      },
    });
    await expect(Promise.all([pool.acquire({ timeout: 100 }), pass(100)])).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      cause: expect.objectContaining({ message: 'no route' }),
    });
    expect(calls).toBeLessThan(30);
    expect(pool.stats()).toMatchObject({ waiting: 0, creating: 0, size: 0 });
  });

  test('backs off through a long outage, fails each caller at its own time with the cause, and drains at once when the peer is back', async () => {
    const down = (peer.down = new Error('ECONNREFUSED'));
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const pool = makePool({ max: 10, acquireTimeout: 2_000 });
    const outcomes: ReturnType<typeof watch>[] = [];
    for (let i = 0; i < 300; i++) {
      outcomes.push(watch(pool.use(() => 'served')));
      await pass(100);
    }
    expect(peer.creates).toBeLessThan(35);
    const failed = outcomes.filter((each) => each.settled);
    expect(failed).toHaveLength(281);
    for (const { error } of failed) expect(error).toMatchObject({ waited: 2_000, cause: down });
    peer.down = undefined;
    const late = Array.from({ length: 20 }, () => watch(pool.use(() => 'served', { timeout: 6_000 })));
    await pass(5_000);
    expect(late.every((each) => each.value === 'served')).toBe(true);
    expect(await pool.use(() => 'served')).toBe('served');
  });

  test('tries one at a time while the peer is down, and several again once it is back', async () => {
    peer.down = new Error('down');
    peer.createDelay = 5;
    const pool = makePool({ max: 8, maxConcurrentCreates: 4 });
    const outcomes = Array.from({ length: 8 }, () => watch(pool.acquire()));
    await pass(5);
    expect(peer.creates).toBe(4);
    peer.peakCreating = 0;
    await pass(500);
    expect(peer.peakCreating).toBe(1);
    peer.down = undefined;
    await pass(5_000);
    expect(peer.peakCreating).toBe(4);
    expect(outcomes.every((each) => each.value !== undefined)).toBe(true);
  });

  test('starts with short waits again after a connection was used', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    peer.down = new Error('down');
    const pool = makePool();
    const served = watch(pool.use(() => {}));
    await pass(20_000);
    peer.down = undefined;
    await pass(5_000);
    expect(served.settled).toBe(true);
    peer.connections[0]?.lost();
    peer.down = new Error('down again');
    const before = peer.creates;
    const again = watch(pool.acquire());
    await pass(20);
    expect(peer.creates - before).toBe(3);
    peer.down = undefined;
    await pass(100);
    expect(again.value).toBeDefined();
  });

  test('backs off from a peer that accepts connections and drops them at once', async () => {
    const { create } = peer.callbacks;
    makePool({
      min: 2,
      max: 2,
      create: async (ctx) => {
        const connection = await create(ctx);
        queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => ctx.lost(new Error('reset')))));
        return connection;
      },
    });
    await pass(60_000);
    expect(peer.creates).toBeGreaterThan(5);
    expect(peer.creates).toBeLessThan(110);
  });

  test('fails when the connection is lost before it is handed over', async () => {
    const pool = makePool({
      create: async (ctx) => {
        const connection = await peer.callbacks.create(ctx);
        ctx.lost(new Error('reset'));
        return connection;
      },
    });
    const outcome = watch(pool.acquire({ timeout: 100 }));
    await pass(100);
    expect(outcome.error).toMatchObject({
      cause: { code: 'PERF_CONN_POOL_CONNECTION_LOST', cause: { message: 'reset' } },
    });
    expect(peer.live).toBe(0);
    expect(pool.stats().created).toBe(pool.stats().destroyed);
  });

  test('that takes longer than createTimeout is aborted, and its late result destroyed', async () => {
    peer.createDelay = 100;
    const signals: AbortSignal[] = [];
    const pool = makePool({
      createTimeout: 30,
      create: (ctx) => {
        signals.push(ctx.signal);
        return peer.callbacks.create(ctx);
      },
    });
    const outcome = watch(pool.acquire({ timeout: 90 }));
    await pass(90);
    expect(signals[0]?.reason).toMatchObject({ code: 'PERF_CONN_POOL_CALLBACK_TIMEOUT', operation: 'create' });
    expect(outcome.error).toMatchObject({ cause: signals[0]?.reason });
    expect(pool.stats()).toMatchObject({ size: 1, creating: 1, createErrors: 1 });
    await pass(10);
    expect(pool.stats()).toMatchObject({ size: 0, created: 1, destroyed: 1 });
    expect(peer.peak).toBe(1);
  });

  test('that never answers gives its place back after destroyTimeout', async () => {
    let hangs = true;
    const pool = makePool({
      createTimeout: 30,
      destroyTimeout: 50,
      create: (ctx) => (hangs ? new Promise(() => {}) : peer.callbacks.create(ctx)),
    });
    const outcome = watch(pool.acquire());
    await pass(79);
    hangs = false;
    expect(pool.stats()).toMatchObject({ size: 1 });
    await pass(20);
    expect(outcome.value?.connection.id).toBe(0);
  });
});

describe('min', () => {
  test('is filled when the pool is made, after the constructor has returned', async () => {
    const pool = makePool({ min: 3, max: 5 });
    expect(peer.creates).toBe(0);
    await pool.warmUp();
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  test('is kept when connections die, callers before the refill, and with the limits of creating', async () => {
    const pool = makePool({ min: 6, max: 6, maxConcurrentCreates: 2 });
    await pool.warmUp();
    await pool.use(() => {});
    peer.createDelay = 10;
    peer.peakCreating = 0;
    await pass(10_000);
    for (const connection of peer.connections) connection.lost();
    const waiting = watch(pool.acquire());
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 0, creating: 2 });
    await pass(10);
    expect(waiting.value).toBeDefined();
    waiting.value?.release();
    await pass(100);
    expect(pool.stats()).toMatchObject({ idle: 6 });
    expect(peer.peakCreating).toBe(2);
  });

  test('warmUp() tells why there are not enough connections', async () => {
    peer.down = new Error('refused');
    const pool = makePool({ min: 1 });
    const outcome = watch(pool.warmUp({ timeout: 50 }));
    const aborted = watch(pool.warmUp({ signal: AbortSignal.abort('no') }));
    await pass(50);
    expect(outcome.error).toMatchObject({ code: 'PERF_CONN_POOL_WARM_UP_TIMEOUT', cause: peer.down });
    expect(aborted.error).toBe('no');
    const open = watch(pool.warmUp());
    void pool.close();
    await pass();
    expect(open.error).toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
  });
});

describe('validation', () => {
  test('is left out for a connection used just now', async () => {
    const validate = vi.fn(() => true);
    const pool = makePool({ validate, validateAfterIdle: 500 });
    await pool.use(() => {});
    await pass(499);
    await pool.use(() => {});
    expect(validate).not.toHaveBeenCalled();
    await pass(500);
    await pool.use(() => {});
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test('goes by the clock it is given', async () => {
    const validate = vi.fn(() => true);
    const clock = new ManualClock();
    const pool = makePool({ validate, clock, validateAfterIdle: 500 });
    await pool.use(() => {});
    clock.advance(500);
    await pool.use(() => {});
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test.each<[string, () => boolean | Promise<boolean>]>([
    ['answers false', () => false],
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    ['resolves to false', () => Promise.resolve(false)],
    ['rejects', () => Promise.reject(new Error('bad'))],
    ['never settles', () => new Promise(() => {})],
  ])('that %s costs the connection, not the caller, who stays at the head of the queue', async (_, validate) => {
    const pool = makePool({ validate, validateAfterIdle: 0, validateTimeout: 100, acquireTimeout: 1_000 });
    await pool.use(() => {});
    const first = watch(pool.acquire());
    const second = watch(pool.acquire());
    await pass(100);
    expect(first.value?.connection.id).toBe(1);
    expect(second.settled).toBe(false);
    first.value?.release();
    await pass();
    expect(second.value?.connection.id).toBe(1);
    second.value?.release();
    expect(pool.stats()).toMatchObject({ checkErrors: 1, created: 2, destroyed: 1 });
  });

  test('that succeeds too late does not bring the connection back', async () => {
    let answer: ((healthy: boolean) => void) | undefined;
    let signal: AbortSignal | undefined;
    const pool = makePool({
      validateAfterIdle: 0,
      validateTimeout: 100,
      validate: (_, ctx) => {
        ({ signal } = ctx);
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    await pool.use(() => {});
    const outcome = watch(pool.acquire());
    await pass(100);
    expect(signal?.reason).toMatchObject({ operation: 'validate', timeout: 100 });
    answer?.(true);
    await pass();
    expect(outcome.value?.connection.id).toBe(1);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, idle: 0 });
  });

  test('that finds ten thousand dead connections goes through them without recursion', async () => {
    const pool = new ConnectionPool<number>({
      create: () => 1,
      destroy: () => {},
      validate: () => false,
      validateAfterIdle: 0,
      max: 10_000,
      maxConcurrentCreates: 10_000,
    });
    const leases = await Promise.all(Array.from({ length: 10_000 }, () => pool.acquire()));
    for (const lease of leases) lease.release();
    const fresh = await pool.acquire();
    expect(pool.stats()).toMatchObject({ size: 1, destroyed: 10_000 });
    fresh.release();
    await pool.close();
  });

  test('of several connections runs at once for several callers', async () => {
    const validate = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 10));
    const pool = makePool({ max: 3, validate, validateAfterIdle: 0 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    const outcomes = [0, 1, 2].map(() => watch(pool.acquire()));
    expect(pool.stats()).toMatchObject({ checking: 3 });
    await pass(10);
    expect(outcomes.every((each) => each.settled)).toBe(true);
    expect(peer.creates).toBe(3);
  });
});

describe('a validate that calls back into the pool', () => {
  test('may tell that the connection is lost, and then say that it is fine', async () => {
    const pool = makePool({
      validateAfterIdle: 0,
      validate: (connection) => {
        if (connection.id === 0) connection.lost();
        return true;
      },
    });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    await pass();
    expect(next.value?.connection.id).toBe(1);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, destroyed: 1 });
  });

  test.each(['abort', 'close'] as const)('may %s, which the caller it runs for hears of', async (what) => {
    const controller = new AbortController();
    const pool = makePool({
      validateAfterIdle: 0,
      validate: () => {
        if (what === 'abort') controller.abort('enough');
        else void pool.close();
        return new Promise((resolve) => setTimeout(() => resolve(true), 10));
      },
    });
    await pool.use(() => {});
    const next = watch(pool.acquire({ signal: controller.signal }));
    await pass();
    expect(next.error).toEqual(
      what === 'abort' ? 'enough' : expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }),
    );
    await pass(10);
    expect(pool.stats()).toMatchObject({ idle: what === 'abort' ? 1 : 0, waiting: 0, checking: 0 });
  });
});

describe('reset', () => {
  test('runs between two callers', async () => {
    const log: string[] = [];
    const reset = async (connection: FakeConnection) => {
      log.push(`reset ${connection.owner}`);
      connection.owner = undefined;
    };
    const pool = makePool({ reset });
    const held = await pool.acquire();
    held.connection.owner = 'a';
    const next = pool.use((connection) => log.push(`owner ${connection.owner}`));
    held.release();
    expect(pool.stats()).toMatchObject({ checking: 1, waiting: 1 });
    await next;
    expect(log.slice(0, 2)).toEqual(['reset a', 'owner undefined']);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad'))],
    ['never settles', () => new Promise(() => {})],
  ])('that %s ends the connection', async (_, reset) => {
    const onError = vi.fn();
    const pool = makePool({ reset, onError, validateTimeout: 100 });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.value?.connection.id).toBe(1);
    expect(onError).toHaveBeenCalledWith(expect.any(Error), 'reset');
  });
});

describe('destroying', () => {
  test('counts toward max until it is done', async () => {
    peer.destroyDelay = 100;
    const pool = makePool();
    const lease = await pool.acquire();
    lease.discard();
    const next = watch(pool.acquire());
    await pass(99);
    expect(next.settled).toBe(false);
    expect(pool.stats()).toMatchObject({ destroying: 1, size: 1 });
    await pass(1);
    expect(next.value?.connection.id).toBe(1);
    expect(peer.peak).toBe(1);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad'))],
    ['never settles', () => new Promise(() => {})],
  ])('that %s gives the place back all the same', async (_, destroy) => {
    const onError = vi.fn(() => {
      throw new Error('the observer is broken too');
    });
    const pool = makePool({ destroy, onError, destroyTimeout: 100 });
    (await pool.acquire()).discard();
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.value?.connection.id).toBe(1);
    expect(onError).toHaveBeenCalledWith(expect.any(Error), 'destroy');
  });

  test('may call the pool', async () => {
    let other: ReturnType<typeof watch> | undefined;
    const pool = makePool({
      destroy: (connection) => {
        other ??= watch(pool.acquire());
        return peer.callbacks.destroy(connection);
      },
    });
    (await pool.acquire()).discard();
    await pass();
    expect(other?.value).toBeDefined();
  });
});

describe('a connection that dies', () => {
  test('while idle is taken out at once', async () => {
    const onError = vi.fn();
    const pool = makePool({ onError });
    await pool.use(() => {});
    const reason = new Error('ECONNRESET');
    peer.connections[0]?.lost(reason);
    peer.connections[0]?.lost(new Error('again'));
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0 });
    expect(onError.mock.calls).toEqual([[reason, 'connection']]);
    expect(await pool.use((connection) => connection.id)).toBe(1);
  });

  test('while lent leaves when the lease ends', async () => {
    const pool = makePool();
    const lease = await pool.acquire();
    lease.connection.lost();
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.settled).toBe(false);
    expect(lease.connection.alive).toBe(true);
    lease.release();
    await pass(5_000);
    expect(next.value?.connection.id).toBe(1);
  });

  test('while it is validated or reset is replaced without waiting for the answer', async () => {
    const pool = makePool({ validate: () => new Promise(() => {}), validateAfterIdle: 0, validateTimeout: 5_000 });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    peer.connections[0]?.lost();
    await pass(10);
    expect(next.value?.connection.id).toBe(1);
    await pass(6_000);
    expect(pool.stats()).toMatchObject({ inUse: 1, size: 1 });
  });
});

describe('time', () => {
  test('ends idle connections after idleTimeout, the oldest first, down to min', async () => {
    const pool = makePool({ min: 1, max: 3, idleTimeout: 1_000 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await pass(999);
    expect(pool.stats().idle).toBe(3);
    await pass(2);
    expect(pool.stats()).toMatchObject({ idle: 1, created: 3 });
    expect(peer.connections.findIndex((each) => each.alive)).toBe(2);
    await pass(100_000);
    expect(pool.stats()).toMatchObject({ idle: 1, created: 3 });
  });

  test.each([
    ['lifo', 1],
    ['fifo', 0],
  ] as const)('lends in %s order', async (order, expected) => {
    const pool = makePool({ max: 2, order });
    const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
    a.release();
    b.release();
    expect(await pool.use((connection) => connection.id)).toBe(expected);
  });

  test('spreads the retirement of connections made together, replaces them first, and lets none outlive maxLifetime', async () => {
    const pool = makePool({
      min: 20,
      max: 40,
      maxLifetime: 1_000_000,
      idleTimeout: Infinity,
      maxConcurrentCreates: 20,
    });
    peer.createDelay = 10;
    await Promise.all([pool.warmUp(), pass(10)]);
    const first = peer.connections.slice(0, 20);
    const alive = () => first.filter((each) => each.alive).length;
    await pass(770_000);
    expect(alive()).toBe(20);
    const steps: number[] = [];
    for (let i = 0; i < 23; i++) {
      await pass(10_000);
      expect(pool.stats().idle).toBeGreaterThanOrEqual(20);
      steps.push(alive());
    }
    expect(new Set(steps).size).toBeGreaterThan(5);
    expect(alive()).toBe(0);
    expect(peer.peak).toBeLessThanOrEqual(40);
  });

  test('retires at once where there is no room for a replacement', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const pool = makePool({ min: 1, max: 1, maxLifetime: 1_000, idleTimeout: Infinity });
    await pool.warmUp();
    await pass(781);
    expect(pool.stats()).toMatchObject({ destroyed: 1, idle: 1 });
    expect(peer.peak).toBe(1);
  });

  test('keeps an old connection that cannot be replaced, but not beyond maxLifetime', async () => {
    const pool = makePool({ min: 1, max: 2, maxLifetime: 1_000, idleTimeout: Infinity });
    await pool.warmUp();
    peer.down = new Error('down');
    await pass(990);
    expect(pool.stats()).toMatchObject({ idle: 1, destroyed: 0 });
    expect(pool.stats().createErrors).toBeGreaterThan(0);
    await pass(20);
    expect(pool.stats()).toMatchObject({ idle: 0, destroyed: 1 });
  });

  test('retires a lent connection when it comes back', async () => {
    const pool = makePool({ maxLifetime: 1_000 });
    const lease = await pool.acquire();
    await pass(5_000);
    expect(lease.connection.alive).toBe(true);
    lease.release();
    await pass();
    expect(pool.stats()).toMatchObject({ destroyed: 1, size: 0 });
  });

  test('reports a lease held for too long once, with the place where it was taken', async () => {
    const onLeak = vi.fn();
    const pool = makePool({ leakThreshold: 1_000, onLeak, name: 'orders' });
    const leaky = async () => pool.acquire();
    const lease = await leaky();
    const waiting = pool.acquire();
    await pass(5_000);
    expect(onLeak).toHaveBeenCalledTimes(1);
    expect(onLeak.mock.calls[0]?.[0]).toMatchObject({ pool: 'orders', heldFor: expect.closeTo(1_000, -1) });
    expect(onLeak.mock.calls[0]?.[0].stack).toContain('connection-pool.test.ts');
    lease.release();
    (await waiting).release();
    await pass(5_000);
    expect(onLeak).toHaveBeenCalledTimes(1);
    expect(pool.stats().leaks).toBe(1);
  });

  test('warns the process of a leak when nobody else listens', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const pool = makePool({ leakThreshold: 1_000 });
    await pool.acquire();
    await pass(1_001);
    expect(warn).toHaveBeenCalledWith(expect.any(String), expect.objectContaining({ code: 'PERF_CONN_POOL_LEAK' }));
  });
});

test('evictIdle() ends what is idle, opens min anew, and touches nothing lent', async () => {
  const pool = makePool({ min: 2, max: 4 });
  const held = await pool.acquire();
  await pool.warmUp();
  const idle = pool.stats().idle;
  expect(pool.evictIdle()).toBe(idle);
  await pass();
  expect(held.connection.alive).toBe(true);
  expect(pool.stats()).toMatchObject({ idle: 1, inUse: 1, destroyed: idle });
});
