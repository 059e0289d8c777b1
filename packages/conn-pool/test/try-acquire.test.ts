import { describe, expect, test, vi } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('tryAcquire()', () => {
  test('lends an idle connection in the same tick, and nothing when there is none', async () => {
    const pool = world.makePool();
    expect(pool.tryAcquire()).toBeUndefined();
    expect(world.peer.creates).toBe(0);
    await pool.use(() => {});
    const lease = pool.tryAcquire();
    expect(lease?.connection.id).toBe(0);
    expect(pool.tryAcquire()).toBeUndefined();
    lease?.release();
    expect(pool.stats()).toMatchObject({ idle: 1, acquired: 2, waiting: 0 });
  });

  test('does not overtake those who wait, not even at the moment of a release', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    const waiting = watch(pool.acquire());
    held.release();
    expect(pool.tryAcquire()).toBeUndefined();
    await pass();
    expect(waiting.value?.connection.id).toBe(0);
  });

  test('lends what a validate that answers at once finds good', async () => {
    const validate = vi.fn((connection: { id: number }) => connection.id !== 0);
    const pool = world.makePool({ max: 2, validate, validateAfterIdle: 0 });
    for (const lease of await take(pool, 2)) lease.release();
    const lease = pool.tryAcquire();
    expect(lease?.connection.id).toBe(1);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(validate).toHaveBeenCalledTimes(2);
  });

  test('does not wait for a validate that takes time, but the next one may have the connection', async () => {
    const validate = vi.fn(() => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 10)));
    const pool = world.makePool({ validate, validateAfterIdle: 500 });
    await pool.use(() => {});
    await pass(500);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.stats()).toMatchObject({ checking: 1 });
    await pass(10);
    expect(pool.tryAcquire()?.connection.id).toBe(0);
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test('lends nothing of a paused pool, and throws after close()', async () => {
    const pool = world.makePool();
    await pool.use(() => {});
    pool.pause();
    expect(pool.tryAcquire()).toBeUndefined();
    pool.resume();
    pool.tryAcquire()?.release();
    void pool.close();
    expect(() => pool.tryAcquire()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }));
  });

  test('shares a connection that serves several', async () => {
    const pool = world.makePool({ maxLeasesPerConnection: 2 });
    await pool.acquire();
    expect(pool.tryAcquire()?.connection.id).toBe(0);
    expect(pool.tryAcquire()).toBeUndefined();
  });
});
