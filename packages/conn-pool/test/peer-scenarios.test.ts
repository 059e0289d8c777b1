/**
 * The scenarios in which the pools there are on npm lose connections, strand callers, spin, or give one connection to two owners: measured
 * with generic-pool 3.9, tarn 3.1, lightning-pool 4.14, sequelize-pool 8.0 and pg-pool 3.14. Here is what this pool does.
 */
import { describe, expect, test, vi } from 'vitest';
import { ConnectionPool } from '../src/index.ts';
import { World, pass, take, watch } from './world.ts';

const world = new World();

const never = (): Promise<never> => new Promise(() => {});

describe('create', () => {
  test('rejects at once: the caller is told at its time with the cause, and timers go on', async () => {
    const down = (world.peer.down = new Error('refused'));
    const pool = world.makePool();
    const caller = watch(pool.acquire({ timeout: 100 }));
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 10);
    await pass(100);
    clearInterval(ticking);
    expect(ticks).toBe(10);
    expect(caller.error).toMatchObject({ waited: 100, cause: down });
  });

  test('fails after 1 ms for a second, with 20 callers and room for 10: a dozen tries, not thousands', async () => {
    world.peer.down = new Error('refused');
    world.peer.createDelay = 1;
    const pool = world.makePool({ max: 10 });
    const callers = Array.from({ length: 20 }, () => watch(pool.acquire({ timeout: 1_000 })));
    await pass(1_000);
    expect(callers.every((each) => each.error !== undefined)).toBe(true);
    expect(world.peer.creates).toBeLessThanOrEqual(12);
  });

  test.each([0, 0.5, 0.99])('fails for 500 ms, then works (jitter %d): all six callers are served', async (dice) => {
    vi.spyOn(Math, 'random').mockReturnValue(dice);
    world.peer.down = new Error('refused');
    const pool = world.makePool({ max: 3 });
    const callers = Array.from({ length: 6 }, () =>
      watch(pool.use(() => new Promise((resolve) => setTimeout(resolve, 10)), { timeout: 2_000 })),
    );
    await pass(500);
    world.peer.down = undefined;
    await pass(1_500);
    expect(callers.every((each) => each.settled && each.error === undefined)).toBe(true);
    expect(world.peer.creates).toBeLessThanOrEqual(15);
  });

  test('throws synchronously: acquire() does not, and no ghost of a waiter stays', async () => {
    const pool = world.makePool({
      create: () => {
        throw new Error('no route');
      },
    });
    const caller = watch(pool.acquire({ timeout: 50 }));
    await pass(50);
    expect(caller.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', cause: { message: 'no route' } });
    expect(pool.stats()).toMatchObject({ waiting: 0, size: 0 });
  });

  test('succeeds after its caller gave up: the connection serves the next at once', async () => {
    world.peer.createDelay = 60;
    const pool = world.makePool();
    const gone = watch(pool.acquire({ timeout: 50 }));
    await pass(60);
    expect(gone.error).toMatchObject({ waited: 50 });
    const next = watch(pool.acquire());
    await pass();
    expect(next.value?.connection.id).toBe(0);
    expect(pool.stats()).toMatchObject({ created: 1, destroyed: 0 });
  });

  test('fails for one caller: the others who wait are not forgotten', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const pool = world.makePool({ max: 2, onCreateError: 'reject-head' });
    const [held] = await take(pool, 1);
    world.peer.down = new Error('refused');
    const callers = [watch(pool.use(() => {})), watch(pool.use(() => {}))];
    await pass();
    expect(callers.map((each) => each.settled)).toEqual([true, false]);
    held?.release();
    await pass();
    expect(callers[1]).toMatchObject({ settled: true });
    expect(callers[1]?.error).toBeUndefined();
  });

  test('gives the same object twice: it has one owner', async () => {
    const shared = {};
    const pool = new ConnectionPool<object>({ create: () => shared, destroy: () => {}, max: 2 });
    const owner = await pool.acquire();
    const second = watch(pool.acquire({ timeout: 50 }));
    await pass(50);
    expect(second.error).toMatchObject({ cause: { code: 'PERF_CONN_POOL_DUPLICATE_CONNECTION' } });
    owner.release();
    await pool.close();
  });
});

describe('validate', () => {
  test('never settles, max 1: the place comes back, and the caller is served by another connection', async () => {
    const pool = world.makePool({ validate: never, validateAfterIdle: 0, validateTimeout: 200 });
    await pool.use(() => {});
    const caller = watch(pool.acquire({ timeout: 1_000 }));
    await pass(200);
    expect(caller.value?.connection.id).toBe(1);
  });

  test('rejects: nothing is unhandled, and the caller is served by another connection', async () => {
    const pool = world.makePool({ validate: () => Promise.reject(new Error('bad')), validateAfterIdle: 0 });
    await pool.use(() => {});
    const caller = watch(pool.acquire());
    await pass();
    expect(caller.value?.connection.id).toBe(1);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1 });
  });
});

test('5,000 callers whose time is up leave nothing in the queue, and no timer', async () => {
  const pool = world.makePool({ idleTimeout: Infinity, maxLifetime: Infinity });
  const lease = await pool.acquire();
  const callers = Array.from({ length: 5_000 }, () => watch(pool.acquire({ timeout: 100 })));
  await pass(100);
  expect(callers.every((each) => each.error !== undefined)).toBe(true);
  expect(pool.stats()).toMatchObject({ waiting: 0, acquireTimeouts: 5_000 });
  await pass(1);
  expect(vi.getTimerCount()).toBe(0);
  lease.release();
});

test('a release after the connection was lent again is an error, and there are no two owners', async () => {
  const pool = world.makePool();
  const first = await pool.acquire();
  first.release();
  const owner = await pool.acquire();
  const next = watch(pool.acquire());
  expect(() => first.release()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_LEASE_ENDED' }));
  await pass();
  expect(next.settled).toBe(false);
  expect(owner.ended).toBe(false);
  owner.release();
  await pass();
  expect(next.value).toBeDefined();
});

test('a connection that takes long to destroy counts toward max until it is gone', async () => {
  world.peer.destroyDelay = 100;
  const pool = world.makePool();
  (await pool.acquire()).discard();
  const next = watch(pool.acquire());
  await pass(100);
  expect(next.value).toBeDefined();
  expect(world.peer.peak).toBe(1);
});

describe('close()', () => {
  test('with callers in the queue serves them', async () => {
    const pool = world.makePool();
    const lease = await pool.acquire();
    const caller = watch(pool.use(() => 'served'));
    const closed = watch(pool.close());
    lease.release();
    await pass();
    expect(caller.value).toBe('served');
    expect(closed.settled).toBe(true);
  });

  test('during a create serves its caller, and destroys the connection then', async () => {
    world.peer.createDelay = 50;
    const pool = world.makePool();
    const caller = watch(pool.use(() => 'served'));
    await pass(10);
    const closed = watch(pool.close());
    await pass(40);
    expect(caller.value).toBe('served');
    expect(closed.settled).toBe(true);
    expect(world.peer.live).toBe(0);
  });

  test('with a leaked lease ends at its deadline', async () => {
    const pool = world.makePool();
    await pool.acquire();
    const closed = watch(pool.close({ timeout: 200 }));
    await pass(200);
    expect(closed.settled).toBe(true);
    expect(world.peer.live).toBe(0);
  });

  test('refuses who comes after it at once, and never opens anything again', async () => {
    const pool = world.makePool();
    void pool.close();
    const late = watch(pool.acquire());
    await pass();
    expect(late.error).toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    await pass(60_000);
    expect(world.peer.creates).toBe(0);
  });

  test('resolves only when the connections are gone', async () => {
    world.peer.destroyDelay = 50;
    const pool = world.makePool({ min: 2, max: 2 });
    await pool.warmUp();
    const closed = watch(pool.close());
    await pass(49);
    expect(closed.settled).toBe(false);
    await pass(1);
    expect(closed.settled).toBe(true);
  });
});

test('a spike of 50 requests of 2 ms on 5 idle connections, create taking 150 ms: 30 ms and 4 more connections, not 45', async () => {
  const pool = world.makePool({ max: 50, idleTimeout: Infinity });
  for (const lease of await take(pool, 5)) lease.release();
  world.peer.createDelay = 150;
  const began = performance.now();
  let drained = NaN;
  void Promise.all(
    Array.from({ length: 50 }, () => pool.use(() => new Promise((resolve) => setTimeout(resolve, 2)))),
  ).then(() => (drained = performance.now() - began));
  await pass(1_000);
  expect(drained).toBeLessThan(40);
  expect(world.peer.creates).toBeLessThanOrEqual(5 + 4);
});

test('min is opened without anybody asking, and kept', async () => {
  const pool = world.makePool({ min: 3, max: 5, idleTimeout: 1_000 });
  await pass();
  expect(pool.stats()).toMatchObject({ idle: 3 });
  world.peer.connections[0]?.lost();
  await pass(60_000);
  expect(pool.stats()).toMatchObject({ idle: 3 });
});

test('a caller can leave the queue, and takes nobody else with it', async () => {
  const pool = world.makePool();
  const lease = await pool.acquire();
  const controller = new AbortController();
  const callers = [watch(pool.acquire()), watch(pool.acquire({ signal: controller.signal })), watch(pool.acquire())];
  controller.abort('gone');
  lease.release();
  await pass();
  callers[0]?.value?.release();
  await pass();
  expect(callers[1]?.error).toBe('gone');
  expect(callers[2]?.value).toBeDefined();
});

test('the queue can be bounded: one more is refused, not left to wait', async () => {
  const pool = world.makePool({ maxWaiting: 1 });
  await pool.acquire();
  const waiting = watch(pool.acquire());
  await expect(pool.acquire()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_QUEUE_FULL' });
  expect(waiting.settled).toBe(false);
});

test('a connection freed by any means wakes the one who waits: release, discard, loss, eviction, resize', async () => {
  const pool = world.makePool({ max: 1 });
  const ways: ((lease: Awaited<ReturnType<typeof pool.acquire>>) => void)[] = [
    (lease) => lease.release(),
    (lease) => lease.discard(),
    (lease) => {
      lease.connection.lost();
      lease.release();
    },
    (lease) => {
      pool.evictAll();
      lease.release();
    },
    () => pool.resize({ max: 2 }),
  ];
  for (const free of ways) {
    pool.resize({ max: 1 });
    const lease = await pool.acquire();
    const next = watch(pool.acquire());
    free(lease);
    await pass(2_000);
    expect(next.value).toBeDefined();
    next.value?.release();
    if (!lease.ended) lease.release();
  }
});
