import { describe, expect, test } from 'vitest';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('creating', () => {
  test('belongs to the pool: a connection whose caller timed out serves the next', async () => {
    world.peer.createDelay = 60;
    const pool = world.makePool({ acquireTimeout: 50 });
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
    world.peer.createDelay = 60;
    const pool = world.makePool();
    const controller = new AbortController();
    const outcome = watch(pool.acquire({ signal: controller.signal }));
    setTimeout(() => controller.abort(), at);
    await pass(100);
    expect(outcome.settled).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 1, waiting: 0, idle: outcome.error ? 1 : 0 });
    outcome.value?.release();
  });

  test.each([59, 60, 61])('has one outcome when the time of the caller is up after %d ms of 60', async (timeout) => {
    world.peer.createDelay = 60;
    const pool = world.makePool();
    const outcome = watch(pool.acquire({ timeout }));
    await pass(100);
    expect(outcome.settled).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 1, created: 1, destroyed: 0, waiting: 0 });
    expect(pool.stats()).toMatchObject(outcome.error === undefined ? { inUse: 1, idle: 0 } : { inUse: 0, idle: 1 });
    outcome.value?.release();
    expect(await pool.use((connection) => connection.id)).toBe(0);
  });

  test('never goes above max, nor above maxConcurrentCreates at a time', async () => {
    world.peer.createDelay = 10;
    const pool = world.makePool({ max: 7, maxConcurrentCreates: 3 });
    const outcomes = Array.from({ length: 20 }, () => watch(pool.acquire()));
    await pass(100);
    expect(outcomes.filter((each) => each.settled)).toHaveLength(7);
    expect(world.peer.peak).toBe(7);
    expect(world.peer.peakCreating).toBe(3);
  });

  test('that throws at once neither throws out of acquire() nor loses the place', async () => {
    let calls = 0;
    const pool = world.makePool({
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

  test('tries one at a time while the peer is down, and several again once it is back', async () => {
    world.peer.down = new Error('down');
    world.peer.createDelay = 5;
    const pool = world.makePool({ max: 8, maxConcurrentCreates: 4 });
    const outcomes = Array.from({ length: 8 }, () => watch(pool.acquire()));
    await pass(5);
    expect(world.peer.creates).toBe(4);
    world.peer.peakCreating = 0;
    await pass(500);
    expect(world.peer.peakCreating).toBe(1);
    world.peer.down = undefined;
    await pass(5_000);
    expect(world.peer.peakCreating).toBe(4);
    expect(outcomes.every((each) => each.value !== undefined)).toBe(true);
  });

  test('backs off from a peer that accepts connections and drops them at once', async () => {
    const { create } = world.peer.callbacks;
    world.makePool({
      min: 2,
      max: 2,
      create: async (ctx) => {
        const connection = await create(ctx);
        queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => ctx.lost(new Error('reset')))));
        return connection;
      },
    });
    await pass(60_000);
    expect(world.peer.creates).toBeGreaterThan(5);
    expect(world.peer.creates).toBeLessThan(110);
  });

  test('fails when the connection is lost before it is handed over', async () => {
    const pool = world.makePool({
      create: async (ctx) => {
        const connection = await world.peer.callbacks.create(ctx);
        ctx.lost(new Error('reset'));
        return connection;
      },
    });
    const outcome = watch(pool.acquire({ timeout: 100 }));
    await pass(100);
    expect(outcome.error).toMatchObject({
      cause: { code: 'PERF_CONN_POOL_CONNECTION_LOST', cause: { message: 'reset' } },
    });
    expect(world.peer.live).toBe(0);
    expect(pool.stats().created).toBe(pool.stats().destroyed);
  });

  test('that takes longer than createTimeout is aborted, and its late result destroyed', async () => {
    world.peer.createDelay = 100;
    const signals: AbortSignal[] = [];
    const pool = world.makePool({
      createTimeout: 30,
      create: (ctx) => {
        signals.push(ctx.signal);
        return world.peer.callbacks.create(ctx);
      },
    });
    const outcome = watch(pool.acquire({ timeout: 90 }));
    await pass(90);
    expect(signals[0]?.reason).toMatchObject({ code: 'PERF_CONN_POOL_CALLBACK_TIMEOUT', operation: 'create' });
    expect(outcome.error).toMatchObject({ cause: signals[0]?.reason });
    expect(pool.stats()).toMatchObject({ size: 1, creating: 1, createErrors: 1 });
    await pass(10);
    expect(pool.stats()).toMatchObject({ size: 0, created: 1, destroyed: 1 });
    expect(world.peer.peak).toBe(1);
  });

  test('that never answers gives its place back after destroyTimeout', async () => {
    let hangs = true;
    const pool = world.makePool({
      createTimeout: 30,
      destroyTimeout: 50,
      create: (ctx) => (hangs ? new Promise(() => {}) : world.peer.callbacks.create(ctx)),
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
    const pool = world.makePool({ min: 3, max: 5 });
    expect(world.peer.creates).toBe(0);
    await pool.warmUp();
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  test('is kept when connections die, callers before the refill, and with the limits of creating', async () => {
    const pool = world.makePool({ min: 6, max: 6, maxConcurrentCreates: 2 });
    await pool.warmUp();
    await pool.use(() => {});
    world.peer.createDelay = 10;
    world.peer.peakCreating = 0;
    await pass(10_000);
    for (const connection of world.peer.connections) connection.lost();
    const waiting = watch(pool.acquire());
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 0, creating: 2 });
    await pass(10);
    expect(waiting.value).toBeDefined();
    waiting.value?.release();
    await pass(100);
    expect(pool.stats()).toMatchObject({ idle: 6 });
    expect(world.peer.peakCreating).toBe(2);
  });

  test('warmUp() tells why there are not enough connections', async () => {
    world.peer.down = new Error('refused');
    const pool = world.makePool({ min: 1 });
    const outcome = watch(pool.warmUp({ timeout: 50 }));
    const aborted = watch(pool.warmUp({ signal: AbortSignal.abort('no') }));
    await pass(50);
    expect(outcome.error).toMatchObject({ code: 'PERF_CONN_POOL_WARM_UP_TIMEOUT', cause: world.peer.down });
    expect(aborted.error).toBe('no');
    const open = watch(pool.warmUp());
    void pool.close();
    await pass();
    expect(open.error).toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
  });
});
