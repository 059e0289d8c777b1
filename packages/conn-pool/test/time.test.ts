import { describe, expect, test, vi } from 'vitest';
import { World, pass } from './world.ts';

const world = new World();

describe('time', () => {
  test('ends idle connections after idleTimeout, the oldest first, down to min', async () => {
    const pool = world.makePool({ min: 1, max: 3, idleTimeout: 1_000 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await pass(999);
    expect(pool.stats().idle).toBe(3);
    await pass(2);
    expect(pool.stats()).toMatchObject({ idle: 1, created: 3 });
    expect(world.peer.connections.findIndex((each) => each.alive)).toBe(2);
    await pass(100_000);
    expect(pool.stats()).toMatchObject({ idle: 1, created: 3 });
  });

  test.each([
    ['lifo', 1],
    ['fifo', 0],
  ] as const)('lends in %s order', async (order, expected) => {
    const pool = world.makePool({ max: 2, order });
    const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
    a.release();
    b.release();
    expect(await pool.use((connection) => connection.id)).toBe(expected);
  });

  test('spreads the retirement of connections made together, replaces them first, and lets none outlive maxLifetime', async () => {
    const pool = world.makePool({
      min: 20,
      max: 40,
      maxLifetime: 1_000_000,
      idleTimeout: Infinity,
      maxConcurrentCreates: 20,
    });
    world.peer.createDelay = 10;
    await Promise.all([pool.warmUp(), pass(10)]);
    const first = world.peer.connections.slice(0, 20);
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
    expect(world.peer.peak).toBeLessThanOrEqual(40);
  });

  test('retires at once where there is no room for a replacement', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const pool = world.makePool({ min: 1, max: 1, maxLifetime: 1_000, idleTimeout: Infinity });
    await pool.warmUp();
    await pass(781);
    expect(pool.stats()).toMatchObject({ destroyed: 1, idle: 1 });
    expect(world.peer.peak).toBe(1);
  });

  test('keeps an old connection that cannot be replaced, but not beyond maxLifetime', async () => {
    const pool = world.makePool({ min: 1, max: 2, maxLifetime: 1_000, idleTimeout: Infinity });
    await pool.warmUp();
    world.peer.down = new Error('down');
    await pass(990);
    expect(pool.stats()).toMatchObject({ idle: 1, destroyed: 0 });
    expect(pool.stats().createErrors).toBeGreaterThan(0);
    await pass(20);
    expect(pool.stats()).toMatchObject({ idle: 0, destroyed: 1 });
  });

  test('retires a lent connection when it comes back', async () => {
    const pool = world.makePool({ maxLifetime: 1_000 });
    const lease = await pool.acquire();
    await pass(5_000);
    expect(lease.connection.alive).toBe(true);
    lease.release();
    await pass();
    expect(pool.stats()).toMatchObject({ destroyed: 1, size: 0 });
  });
});
