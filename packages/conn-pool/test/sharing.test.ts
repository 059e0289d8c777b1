import { describe, expect, test, vi } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('a connection that serves several leases at once', () => {
  test('serves as many as it may, then the next one is opened, and then callers wait', async () => {
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 3 });
    const leases = await take(pool, 6);
    const seventh = watch(pool.acquire());
    await pass();
    expect(leases.map((lease) => lease.connection.id)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(pool.stats()).toMatchObject({ size: 2, inUse: 2, leases: 6, waiting: 1 });
    leases[4]?.release();
    await pass();
    expect(seventh.value?.connection.id).toBe(1);
    for (const lease of [...leases.toSpliced(4, 1), seventh.value]) lease?.release();
    expect(pool.stats()).toMatchObject({ idle: 2, inUse: 0, leases: 0 });
  });

  test('is opened for as many callers as it will serve, not for each of them', async () => {
    const pool = world.makePool({ max: 10, maxLeasesPerConnection: 4 });
    await take(pool, 9);
    expect(world.peer.creates).toBe(3);
  });

  test('serves all who wait for it as soon as it is there, in their order', async () => {
    world.peer.createDelay = 50;
    const pool = world.makePool({ maxLeasesPerConnection: 3 });
    const order: number[] = [];
    const uses = [0, 1, 2].map((index) => pool.use(() => void order.push(index)));
    await pass(50);
    await Promise.all(uses);
    expect(order).toEqual([0, 1, 2]);
    expect(world.peer.creates).toBe(1);
  });

  test.each([
    ['lifo', 'is filled up before the others, which get idle', [0, 0, 0]],
    ['fifo', 'is the one with the fewest leases', [1, 0, 1]],
  ] as const)('with order %s %s', async (order, _, expected) => {
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 5, order });
    const leases = await take(pool, 10);
    for (const index of [0, 1, 2, 5, 6, 7, 8]) leases[index]?.release();
    expect((await take(pool, 3)).map((lease) => lease.connection.id)).toEqual(expected);
  });

  test('goes on for the others when one lease is discarded, serves no new ones, and ends with the last', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 3, onError });
    const [first, second] = await take(pool, 2);
    first?.discard(new Error('broken'));
    const third = await pool.acquire();
    expect(third.connection.id).toBe(1);
    expect(second?.connection).toMatchObject({ id: 0, alive: true });
    second?.release();
    await pass();
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, true]);
    expect(onError).toHaveBeenCalledTimes(1);
  });

  test('that is lost serves no new leases, and callers wait for another', async () => {
    const pool = world.makePool({ maxLeasesPerConnection: 3 });
    const [first, second] = await take(pool, 2);
    first?.connection.lost(new Error('reset'));
    const third = watch(pool.acquire());
    first?.release();
    await pass();
    expect(third.settled).toBe(false);
    second?.release();
    await pass(5_000);
    expect(third.value?.connection.id).toBe(1);
  });

  test('is reset and validated only while no lease of it is out', async () => {
    const reset = vi.fn();
    const validate = vi.fn(() => true);
    const pool = world.makePool({ maxLeasesPerConnection: 2, reset, validate, validateAfterIdle: 0 });
    const [first, second] = await take(pool, 2);
    first?.release();
    const third = await pool.acquire();
    expect(reset).not.toHaveBeenCalled();
    second?.release();
    third.release();
    expect(reset).toHaveBeenCalledTimes(1);
    expect(validate).not.toHaveBeenCalled();
    await pool.acquire();
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test('retires when its last lease ends, and gets no new ones until then', async () => {
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 2, maxLifetime: 1_000, idleTimeout: Infinity });
    const old = await pool.acquire();
    await pass(2_000);
    const young = await pool.acquire();
    expect(young.connection.id).toBe(1);
    old.release();
    await pass();
    expect(pool.stats()).toMatchObject({ destroyed: 1, inUse: 1 });
  });

  test('serves no more leases than maxUses', async () => {
    const pool = world.makePool({ max: 3, maxLeasesPerConnection: 4, maxUses: 3 });
    const leases = await take(pool, 3);
    const fourth = watch(pool.acquire());
    await pass();
    expect(fourth.value?.connection.id).toBe(1);
    for (const lease of leases) lease.release();
    await pass();
    expect(pool.stats()).toMatchObject({ destroyed: 1, inUse: 1 });
  });

  test('with one use left serves one of those who counted on it, and another is opened for the rest', async () => {
    const validate = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 5));
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 2, maxUses: 2, validate, validateAfterIdle: 0 });
    await pool.use(() => {});
    const callers = [watch(pool.acquire()), watch(pool.acquire())];
    expect(pool.stats()).toMatchObject({ checking: 1, waiting: 2 });
    await pass(5);
    expect(callers.map(({ value }) => value?.connection.id)).toEqual([0, 1]);
    for (const { value } of callers) value?.release();
  });

  test('that there is one too many of after a resize goes, although its leases overlap for ever', async () => {
    const pool = world.makePool({ max: 2, maxLeasesPerConnection: 2 });
    const leases = await take(pool, 4);
    leases[2]?.release();
    pool.resize({ max: 1 });
    const next = watch(pool.acquire());
    await pass();
    expect(next.settled).toBe(false);
    leases[3]?.release();
    await pass();
    expect(pool.stats()).toMatchObject({ size: 1 });
    leases[0]?.release();
    await pass();
    expect(next.value).toBeDefined();
  });

  test('lends nothing while the pool is paused, and at once when it goes on', async () => {
    const pool = world.makePool({ maxLeasesPerConnection: 3 });
    const first = await pool.acquire();
    pool.pause();
    const others = [watch(pool.acquire()), watch(pool.acquire()), watch(pool.acquire())];
    await pass(100);
    expect(others.map((each) => each.settled)).toEqual([false, false, false]);
    pool.resume();
    await pass();
    expect(others.map((each) => each.settled)).toEqual([true, true, false]);
    first.release();
    await pass();
    expect(others[2]?.settled).toBe(true);
  });

  test('refuses a lease that has ended, while the others go on', async () => {
    const pool = world.makePool({ maxLeasesPerConnection: 2 });
    const [first, second] = await take(pool, 2);
    first?.release();
    expect(() => first?.release()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_LEASE_ENDED' }));
    expect(second?.connection.id).toBe(0);
    expect(pool.stats()).toMatchObject({ leases: 1, inUse: 1 });
  });

  test('is taken from all its owners when the pool is closed by force', async () => {
    const pool = world.makePool({ maxLeasesPerConnection: 2 });
    const leases = await take(pool, 2);
    await Promise.all([pool.close({ force: true }), pass()]);
    for (const lease of leases) {
      expect(() => lease.connection).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }));
      lease.release();
    }
  });
});
