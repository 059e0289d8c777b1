import { describe, expect, test, vi } from 'vitest';
import { ConnectionPool, LeaseEndedError } from '../src/index.ts';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('a lease', () => {
  test('gives a connection, which serves the next caller after its release', async () => {
    const pool = world.makePool();
    const first = await pool.acquire();
    const { connection } = first;
    first.release();
    const second = await pool.acquire();
    expect(second.connection).toBe(connection);
    expect(world.peer.creates).toBe(1);
    second.release();
  });

  test('cannot be released twice, and the caller that has the connection now keeps it alone', async () => {
    const pool = world.makePool();
    const a = await pool.acquire();
    a.release();
    const b = await pool.acquire();
    const c = watch(pool.acquire());
    expect(() => a.release()).toThrow(LeaseEndedError);
    expect(() => a.discard()).toThrow(expect.objectContaining({ code: 'PERF_CONN_POOL_LEASE_ENDED' }));
    expect(() => a.connection).toThrow(LeaseEndedError);
    await pass();
    expect(c.settled).toBe(false);
    expect(b.connection.alive).toBe(true);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 0, waiting: 1 });
    b.release();
    await pass();
    expect(c.value?.connection.id).toBe(0);
  });

  test('is released at the end of a using block, unless it ended before', async () => {
    const pool = world.makePool();
    {
      using lease = await pool.acquire();
      expect(lease.ended).toBe(false);
    }
    {
      using lease = await pool.acquire();
      lease.discard();
    }
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0, created: 1, destroyed: 1 });
  });

  test('that is discarded ends its connection and makes room for another', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ onError });
    const lease = await pool.acquire();
    const next = watch(pool.acquire());
    const reason = new Error('desynchronised');
    lease.discard(reason);
    await pass();
    expect(next.value?.connection.id).toBe(1);
    expect(onError.mock.calls).toEqual([[reason, 'use']]);
  });

  test('lends falsy and primitive connections too', async () => {
    const pool = new ConnectionPool<number>({ create: () => 0, destroy: () => {}, max: 1 });
    const lease = await pool.acquire();
    expect(lease.connection).toBe(0);
    lease.release();
    expect(pool.stats().idle).toBe(1);
    await pool.close();
  });
});

describe('use()', () => {
  test('gives the connection back whether its function returns or throws', async () => {
    const pool = world.makePool();
    expect(await pool.use((connection) => connection.id)).toBe(0);
    await expect(pool.use(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0, created: 1 });
  });

  test('ends the connection after an error that is fatal', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ onError, isFatal: (error) => (error as Error).message === 'gone' });
    const gone = new Error('gone');
    await expect(pool.use(() => Promise.reject(new Error('harmless')))).rejects.toThrow('harmless');
    await expect(pool.use(() => Promise.reject(gone))).rejects.toBe(gone);
    expect(await pool.use((connection) => connection.id)).toBe(1);
    expect(onError.mock.calls).toEqual([[gone, 'use']]);
  });
});
