import { describe, expect, test } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('a paused pool', () => {
  test('lends nothing, takes lent connections back, and serves in order after resume()', async () => {
    const pool = world.makePool({ max: 2 });
    const [held] = await take(pool, 2);
    pool.pause();
    expect(pool.paused).toBe(true);
    expect(pool.tryAcquire()).toBeUndefined();
    const order: number[] = [];
    const waiting = [0, 1, 2].map((id) => watch(pool.use(() => void order.push(id))));
    held?.release();
    await pass(1_000);
    expect(order).toEqual([]);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 1, waiting: 3 });
    pool.resume();
    expect(pool.paused).toBe(false);
    waiting.push(watch(pool.use(() => void order.push(3))));
    await pass();
    expect(order).toEqual([0, 1, 2, 3]);
  });

  test('opens nothing, neither for callers nor for min, and fills up after resume()', async () => {
    const pool = world.makePool({ min: 2, max: 4 });
    pool.pause();
    const warm = watch(pool.warmUp());
    const waiting = watch(pool.acquire());
    await pass(10_000);
    expect(world.peer.creates).toBe(0);
    expect(warm.settled).toBe(false);
    pool.resume();
    await pass();
    expect(waiting.value).toBeDefined();
    expect(warm.settled).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 2 });
  });

  test('keeps what is idle as long as it would otherwise', async () => {
    const pool = world.makePool({ min: 2, max: 4, idleTimeout: 1_000 });
    for (const lease of await take(pool, 3)) lease.release();
    pool.pause();
    await pass(10_000);
    expect(pool.stats()).toMatchObject({ idle: 2, created: 3 });
    pool.resume();
  });

  test('keeps what was being created when it began, and lends it later', async () => {
    world.peer.createDelay = 50;
    const pool = world.makePool();
    const waiting = watch(pool.acquire());
    await pass(10);
    pool.pause();
    await pass(100);
    expect(waiting.settled).toBe(false);
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 1 });
    pool.resume();
    await pass();
    expect(waiting.value?.connection.id).toBe(0);
    expect(world.peer.creates).toBe(1);
  });

  test('keeps a connection whose validation ends meanwhile', async () => {
    const pool = world.makePool({
      validateAfterIdle: 0,
      validate: () => new Promise((resolve) => setTimeout(() => resolve(true), 10)),
    });
    await pool.use(() => {});
    const waiting = watch(pool.acquire());
    pool.pause();
    await pass(10);
    expect(waiting.settled).toBe(false);
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
    pool.resume();
    await pass(10);
    expect(waiting.value?.connection.id).toBe(0);
  });

  test('may be paused by a validate that answers at once', async () => {
    let pauses = true;
    const pool = world.makePool({
      validateAfterIdle: 0,
      validate: () => {
        if (pauses) pool.pause();
        return true;
      },
    });
    await pool.use(() => {});
    const waiting = watch(pool.acquire());
    await pass(10);
    expect(waiting.settled).toBe(false);
    pauses = false;
    pool.resume();
    await pass();
    expect(waiting.value).toBeDefined();
  });

  test('lets callers leave by their own time and signal', async () => {
    const pool = world.makePool();
    await pool.use(() => {});
    pool.pause();
    const controller = new AbortController();
    const short = watch(pool.acquire({ timeout: 20 }));
    const aborted = watch(pool.acquire({ signal: controller.signal }));
    await pass(20);
    controller.abort('enough');
    await pass();
    expect(short.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', waited: 20 });
    expect(aborted.error).toBe('enough');
    pool.resume();
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
  });

  test('moves to another server without an error, with evictAll()', async () => {
    const pool = world.makePool({ min: 1, max: 2 });
    const [held] = await take(pool, 1);
    pool.pause();
    pool.evictAll();
    const during = watch(pool.use((connection) => connection.id));
    held?.release();
    await pass(1_000);
    expect(world.peer.live).toBe(0);
    pool.resume();
    await pass();
    expect(during.value).toBe(1);
  });

  test('is as good as before when paused and resumed twice, or resumed without a pause', async () => {
    const pool = world.makePool();
    pool.resume();
    pool.pause();
    pool.pause();
    pool.resume();
    pool.resume();
    await pool.use(() => {});
    expect(pool.stats()).toMatchObject({ idle: 1, created: 1 });
  });

  test('is closed as any: those who wait are turned off at once, a lent connection is waited for', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    pool.pause();
    const waiting = watch(pool.acquire());
    const closed = watch(pool.close());
    await pass();
    expect(waiting.error).toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    expect(closed.settled).toBe(false);
    held.release();
    await pass();
    expect(closed.settled).toBe(true);
    expect(() => pool.pause()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }));
    expect(() => pool.resume()).not.toThrow();
  });
});
