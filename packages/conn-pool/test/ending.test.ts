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
