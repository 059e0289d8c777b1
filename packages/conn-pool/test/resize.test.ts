import { describe, expect, test } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('resize()', () => {
  test('to more room serves those who wait at once', async () => {
    const pool = world.makePool({ max: 1 });
    await pool.acquire();
    const waiting = [watch(pool.acquire()), watch(pool.acquire()), watch(pool.acquire())];
    pool.resize({ max: 3 });
    await pass();
    expect(waiting.map((each) => each.settled)).toEqual([true, true, false]);
    expect(pool.stats()).toMatchObject({ inUse: 3, max: 3, min: 0 });
  });

  test('below what is lent lets connections go as they come back, and is never exceeded after that', async () => {
    const pool = world.makePool({ max: 5 });
    const leases = await take(pool, 5);
    const waiting = [watch(pool.acquire()), watch(pool.acquire())];
    pool.resize({ max: 2 });
    expect(leases.every((each) => each.connection.alive)).toBe(true);
    for (const lease of leases.slice(0, 3)) lease.release();
    await pass();
    expect(waiting.some((each) => each.settled)).toBe(false);
    expect(pool.stats()).toMatchObject({ size: 2, inUse: 2 });
    world.peer.peak = 0;
    leases[3]?.release();
    await pass();
    expect(waiting.map((each) => each.settled)).toEqual([true, false]);
    leases[4]?.release();
    await pass();
    expect(waiting[1]?.settled).toBe(true);
    expect(world.peer.creates).toBe(5);
    expect(pool.stats()).toMatchObject({ size: 2, inUse: 2, destroyed: 3 });
  });

  test('ends what is idle first, the one idle for longest before the others', async () => {
    const pool = world.makePool({ max: 4 });
    const leases = await take(pool, 4);
    for (const lease of leases) lease.release();
    pool.resize({ max: 1 });
    await pass();
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, false, false, true]);
    expect(pool.stats()).toMatchObject({ idle: 1, size: 1 });
  });

  test('gives up the creates there is no room for any more', async () => {
    world.peer.createDelay = 20;
    const pool = world.makePool({ max: 4 });
    const waiting = [1, 2, 3, 4].map(() => watch(pool.use(() => {})));
    await pass(10);
    pool.resize({ max: 1 });
    await pass(10);
    expect(pool.stats()).toMatchObject({ size: 1, idle: 1, created: 4, destroyed: 3 });
    expect(waiting.every((each) => each.settled)).toBe(true);
    expect(pool.stats().createErrors).toBe(0);
  });

  test('counts dying connections: nothing is opened until there is room below the new max', async () => {
    world.peer.destroyDelay = 100;
    const pool = world.makePool({ max: 3 });
    const leases = await take(pool, 3);
    pool.resize({ max: 1 });
    for (const lease of leases) lease.discard();
    const next = watch(pool.acquire());
    await pass(99);
    expect(next.settled).toBe(false);
    world.peer.peak = 0;
    await pass(1);
    expect(next.value).toBeDefined();
    expect(world.peer.peak).toBe(1);
  });

  test('of min opens what is missing, or lets idle ones go by their time', async () => {
    const pool = world.makePool({ max: 4, idleTimeout: 1_000 });
    pool.resize({ min: 3 });
    await pool.warmUp();
    expect(pool.stats()).toMatchObject({ idle: 3, min: 3 });
    await pass(5_000);
    expect(pool.stats()).toMatchObject({ idle: 3 });
    pool.resize({ min: 1 });
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 1, min: 1, max: 4 });
  });

  test('lets warmUp() end when fewer connections are enough', async () => {
    world.peer.hangs = true;
    const pool = world.makePool({ min: 1, max: 2, createTimeout: 100 });
    const warm = watch(pool.warmUp());
    await pass();
    pool.resize({ min: 0 });
    await pass();
    expect(warm).toMatchObject({ settled: true });
    expect(warm.error).toBeUndefined();
  });

  test.each<[object | undefined, string]>([
    [{ max: 0 }, '`max` must be a positive integer, got 0'],
    [{ max: NaN }, '`max` must be a positive integer, got NaN'],
    [{ max: '3' }, '`max` must be a positive integer, got "3"'],
    [{ max: null }, '`max` must be a positive integer, got null'],
    [{ max: Infinity }, '`max` must be a positive integer, got Infinity'],
    [{ min: -1 }, '`min` must be a non-negative integer, got -1'],
    [{ min: 1.5 }, '`min` must be a non-negative integer, got 1.5'],
    [{ min: 6 }, '`min` must be a number from 0 to 5, got 6'],
    [{ max: 1 }, '`min` must be a number from 0 to 1, got 2'],
    [{ size: 1 }, 'resize() has no option `size`'],
    [undefined, 'resize() takes an options object, got undefined'],
    [[1, 2], 'resize() takes an options object, got an array'],
  ])('refuses %o by name and value, and changes nothing', async (options, message) => {
    const pool = world.makePool({ min: 2, max: 5 });
    expect(() => pool.resize(options as object)).toThrow(message);
    expect(pool.stats()).toMatchObject({ min: 2, max: 5 });
  });

  test('is refused after close()', async () => {
    const pool = world.makePool();
    void pool.close();
    expect(() => pool.resize({ max: 2 })).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }));
  });
});

describe('resize() of shared connections', () => {
  test('keeps one that comes back before those that are to go', async () => {
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 2 });
    const leases = await take(pool, 3);
    const [a1, a2, b] = leases.toSorted((x, y) => x.connection.id - y.connection.id);
    pool.resize({ max: 1 });
    a1?.release();
    a2?.release();
    const next = watch(pool.acquire());
    await pass();
    expect(next.value?.connection.id).toBe(0);
    b?.release();
    await pass();
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, created: 2, destroyed: 1 });
  });

  test('lends those above the new max no further, and leaves the others alone', async () => {
    const pool = world.makePool({ max: 3, maxLeasesPerConnection: 2 });
    const leases = await take(pool, 6);
    const ids = leases.map((each) => each.connection.id);
    leases[2]?.release();
    pool.resize({ max: 1 });
    await pass();
    const waiting = [watch(pool.acquire()), watch(pool.acquire())];
    await pass(100);
    expect(waiting.some((each) => each.settled)).toBe(false);
    for (const lease of leases) if (!lease.ended) lease.release();
    await pass(100);
    expect(waiting.every((each) => each.settled)).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, leases: 2 });
    expect(ids.toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1, 2, 2]);
  });
});
