import { ManualClock } from '@perf/testkit';
import { describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';
import { World, pass, take, watch } from './world.ts';

const world = new World();

async function withIdle(pool: ConnectionPool<FakeConnection>, count: number): Promise<void> {
  for (const lease of await take(pool, count)) lease.release();
}

describe('keepalive', () => {
  test('validates idle connections after keepaliveInterval, up to a fifth sooner, and again and again', async () => {
    const asked: number[] = [];
    const pool = world.makePool({
      validate: () => {
        asked.push(performance.now());
        return true;
      },
      keepaliveInterval: 1_000,
      idleTimeout: Infinity,
    });
    await pool.use(() => {});
    const began = performance.now();
    await pass(10_500);
    expect(asked.length).toBeGreaterThanOrEqual(10);
    expect(asked.length).toBeLessThanOrEqual(13);
    let last = began;
    for (const at of asked) {
      expect(at - last).toBeGreaterThanOrEqual(800);
      expect(at - last).toBeLessThanOrEqual(1_001);
      last = at;
    }
    expect(pool.stats()).toMatchObject({ idle: 1, created: 1 });
  });

  test('of connections made together is spread', async () => {
    const asked = new Set<number>();
    const pool = world.makePool({
      max: 20,
      validate: () => {
        asked.add(performance.now());
        return true;
      },
      keepaliveInterval: 100_000,
      idleTimeout: Infinity,
    });
    await withIdle(pool, 20);
    await pass(101_000);
    expect(asked.size).toBeGreaterThan(10);
  });

  test('destroys the one that fails, and fills min up', async () => {
    let healthy = false;
    const pool = world.makePool({
      min: 2,
      max: 2,
      validate: async () => healthy,
      keepaliveInterval: 1_000,
    });
    await pool.warmUp();
    await pass(999);
    healthy = true;
    await pass(10);
    expect(world.peer.connections.slice(0, 2).some((each) => each.alive)).toBe(false);
    expect(pool.stats()).toMatchObject({ idle: 2, created: 4, destroyed: 2, checkErrors: 2 });
  });

  test('looks at no more than maxConcurrentCreates at a time, and at all of them', async () => {
    let running = 0;
    let peak = 0;
    let asked = 0;
    const pool = world.makePool({
      max: 10,
      maxConcurrentCreates: 3,
      keepaliveInterval: 1_000,
      validateTimeout: 100,
      idleTimeout: Infinity,
      validate: async () => {
        asked++;
        peak = Math.max(peak, ++running);
        await new Promise((resolve) => setTimeout(resolve, 50));
        running--;
        return true;
      },
    });
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    await withIdle(pool, 10);
    await pass(900 + 4 * 50 + 10);
    expect(peak).toBe(3);
    expect(asked).toBe(10);
    expect(pool.stats()).toMatchObject({ idle: 10, checking: 0 });
  });

  test('leaves a hanging connection behind after validateTimeout, and the others are looked at', async () => {
    const pool = world.makePool({
      max: 4,
      maxConcurrentCreates: 1,
      keepaliveInterval: 1_000,
      validateTimeout: 100,
      idleTimeout: Infinity,
      validate: (connection) => (connection.id === 0 ? new Promise<boolean>(() => {}) : true),
    });
    await withIdle(pool, 4);
    await pass(1_500);
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, true, true, true]);
    expect(pool.stats()).toMatchObject({ idle: 3, checking: 0 });
  });

  test('is no use: a connection that is kept alive still goes after idleTimeout, and is lent in the old order', async () => {
    const pool = world.makePool({ max: 3, validate: () => true, keepaliveInterval: 400, idleTimeout: 1_000 });
    const leases = await take(pool, 3);
    for (const lease of leases) {
      lease.release();
      await pass(1);
    }
    await pass(500);
    expect(await pool.use((connection) => connection.id)).toBe(2);
    await pass(502);
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, false, true]);
  });

  test('makes the validation before lending unnecessary', async () => {
    let asked = 0;
    const validate = () => {
      asked++;
      return true;
    };
    const pool = world.makePool({ validate, validateAfterIdle: 500, keepaliveInterval: 1_000, idleTimeout: Infinity });
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await pool.use(() => {});
    await pass(1_100);
    expect(asked).toBe(1);
    await pool.use(() => {});
    expect(asked).toBe(1);
  });

  test('serves a caller that comes meanwhile with the connection it looks at', async () => {
    const pool = world.makePool({
      keepaliveInterval: 1_000,
      validate: () => new Promise((resolve) => setTimeout(() => resolve(true), 50)),
    });
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await pool.use(() => {});
    await pool.use(() => {});
    await pass(1_010);
    expect(pool.stats()).toMatchObject({ checking: 1 });
    const waiting = watch(pool.acquire());
    await pass(50);
    expect(waiting.value?.connection.id).toBe(0);
  });

  test('ends with the pool, whatever is under way', async () => {
    const pool = world.makePool({ keepaliveInterval: 1_000, validate: () => new Promise(() => {}) });
    await pool.use(() => {});
    await pass(1_010);
    expect(pool.stats()).toMatchObject({ checking: 1 });
    const closed = watch(pool.close({ force: true }));
    await pass();
    expect(closed.settled).toBe(true);
    await pass(10_000);
    expect(world.peer).toMatchObject({ creates: 1, destroys: 1 });
  });
});

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
