import { describe, expect, test, vi } from 'vitest';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('destroying', () => {
  test('counts toward max until it is done', async () => {
    world.peer.destroyDelay = 100;
    const pool = world.makePool();
    const lease = await pool.acquire();
    lease.discard();
    const next = watch(pool.acquire());
    await pass(99);
    expect(next.settled).toBe(false);
    expect(pool.stats()).toMatchObject({ destroying: 1, size: 1 });
    await pass(1);
    expect(next.value?.connection.id).toBe(1);
    expect(world.peer.peak).toBe(1);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad'))],
    ['never settles', () => new Promise(() => {})],
  ])('that %s gives the place back all the same', async (_, destroy) => {
    const onError = vi.fn(() => {
      throw new Error('the observer is broken too');
    });
    const pool = world.makePool({ destroy, onError, destroyTimeout: 100 });
    (await pool.acquire()).discard();
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.value?.connection.id).toBe(1);
    expect(onError).toHaveBeenCalledWith(expect.any(Error), 'destroy');
  });

  test('may call the pool', async () => {
    let other: ReturnType<typeof watch> | undefined;
    const pool = world.makePool({
      destroy: (connection) => {
        other ??= watch(pool.acquire());
        return world.peer.callbacks.destroy(connection);
      },
    });
    (await pool.acquire()).discard();
    await pass();
    expect(other?.value).toBeDefined();
  });
});

describe('a connection that dies', () => {
  test('while idle is taken out at once', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ onError });
    await pool.use(() => {});
    const reason = new Error('ECONNRESET');
    world.peer.connections[0]?.lost(reason);
    world.peer.connections[0]?.lost(new Error('again'));
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0 });
    expect(onError.mock.calls).toEqual([[reason, 'connection']]);
    expect(await pool.use((connection) => connection.id)).toBe(1);
  });

  test('while lent leaves when the lease ends', async () => {
    const pool = world.makePool();
    const lease = await pool.acquire();
    lease.connection.lost();
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.settled).toBe(false);
    expect(lease.connection.alive).toBe(true);
    lease.release();
    await pass(5_000);
    expect(next.value?.connection.id).toBe(1);
  });

  test('while it is validated or reset is replaced without waiting for the answer', async () => {
    const pool = world.makePool({
      validate: () => new Promise(() => {}),
      validateAfterIdle: 0,
      validateTimeout: 5_000,
    });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    world.peer.connections[0]?.lost();
    await pass(10);
    expect(next.value?.connection.id).toBe(1);
    await pass(6_000);
    expect(pool.stats()).toMatchObject({ inUse: 1, size: 1 });
  });
});

test('evictIdle() ends what is idle, opens min anew, and touches nothing lent', async () => {
  const pool = world.makePool({ min: 2, max: 4 });
  const held = await pool.acquire();
  await pool.warmUp();
  const idle = pool.stats().idle;
  expect(pool.evictIdle()).toBe(idle);
  await pass();
  expect(held.connection.alive).toBe(true);
  expect(pool.stats()).toMatchObject({ idle: 1, inUse: 1, destroyed: idle });
});
