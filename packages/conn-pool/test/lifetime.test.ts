import { ManualClock } from '@perf/testkit';
import { describe, expect, test, vi } from 'vitest';
import { FakePeer } from './fake-peer.ts';
import { World, pass } from './world.ts';

const world = new World();

describe('maxUses', () => {
  test('replaces a connection after that many leases, and callers who wait get the next', async () => {
    const pool = world.makePool({ maxUses: 3 });
    const served: number[] = [];
    await Promise.all(Array.from({ length: 8 }, () => pool.use((connection) => void served.push(connection.id))));
    expect(served).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
    expect(world.peer).toMatchObject({ peak: 1, live: 1 });
    expect(pool.stats()).toMatchObject({ created: 3, destroyed: 2, idle: 1 });
  });

  test('keeps min filled', async () => {
    const pool = world.makePool({ maxUses: 1, min: 1 });
    await pool.warmUp();
    await pool.use(() => {});
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 1, created: 2, destroyed: 1 });
  });
});

describe('maxLifetime', () => {
  test('of fifty connections born in one tick ends over a tenth of it at least, replacements first, creates bounded', async () => {
    const hour = 3_600_000;
    const pool = world.makePool({
      min: 50,
      max: 60,
      maxLifetime: hour / 2,
      idleTimeout: Infinity,
      maxConcurrentCreates: 4,
    });
    await pool.warmUp();
    const lent = await pool.acquire();
    world.peer.createDelay = 100;
    world.peer.peakCreating = 0;
    const ends: number[] = [];
    const born = performance.now();
    let alive = 50;
    for (let minutes = 0; minutes < 31 * 6; minutes++) {
      await pass(10_000);
      const now = world.peer.connections.slice(0, 50).filter((each) => each.alive).length;
      for (; alive > now; alive--) ends.push(performance.now() - born);
      expect(pool.stats().idle + pool.stats().inUse).toBeGreaterThanOrEqual(50);
    }
    expect(lent.connection.alive).toBe(true);
    expect(alive).toBe(1);
    expect((ends.at(-1) as number) - (ends[0] as number)).toBeGreaterThan((hour / 2) * 0.1);
    expect(ends.at(-1)).toBeLessThanOrEqual(hour / 2 + 10_000);
    expect(world.peer.peakCreating).toBeLessThanOrEqual(4);
    lent.release();
  });

  test('that ends while an evicted connection is still lent opens nothing more for it', async () => {
    const pool = world.makePool({ min: 1, max: 4, maxLifetime: 1_000, idleTimeout: 10 });
    const lease = await pool.acquire();
    pool.evictAll();
    await pass(5_000);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 1 });
    lease.release();
    await pass(5_000);
    expect(pool.stats()).toMatchObject({ inUse: 0, idle: 1, size: 1 });
  });

  test('does not go by the clock on the wall: an hour forward or back neither ends connections nor keeps them for ever', async () => {
    const pool = world.makePool({ min: 3, max: 6, maxLifetime: 1_000_000, idleTimeout: 100_000 });
    await pool.warmUp();
    for (const hours of [1, -2]) {
      vi.setSystemTime(Date.now() + hours * 3_600_000);
      await pass(10);
      expect(pool.stats()).toMatchObject({ idle: 3, created: 3 });
    }
    await pass(1_000_100);
    expect(world.peer.connections.slice(0, 3).some((each) => each.alive)).toBe(false);
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  test('does not end everything at once when the clock it is given stood still or jumps', async () => {
    const clock = new ManualClock();
    const peer = new FakePeer();
    world.peer = peer;
    const pool = world.makePool({ min: 4, max: 8, maxLifetime: 10_000, idleTimeout: Infinity, clock });
    await pool.warmUp();
    await pass(60_000);
    expect(pool.stats()).toMatchObject({ created: 4, idle: 4 });
    clock.advance(3_600_000);
    peer.createDelay = 10;
    await pass(20_000);
    expect(pool.stats()).toMatchObject({ idle: 4 });
    expect(peer.peak).toBeLessThanOrEqual(8);
  });
});
