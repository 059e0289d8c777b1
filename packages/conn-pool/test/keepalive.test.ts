import { describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import type { FakeConnection } from './fake-peer.ts';
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
