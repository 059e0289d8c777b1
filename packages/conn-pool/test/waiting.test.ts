import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test, vi } from 'vitest';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('waiting', () => {
  test('is first come, first served, and a caller that comes at the moment of a release does not overtake', async () => {
    const pool = world.makePool();
    const order: string[] = [];
    const take = (name: string) => pool.use(() => void order.push(name));
    const held = await pool.acquire();
    const waiters = ['1', '2', '3'].map(take);
    held.release();
    waiters.push(take('barger'));
    await Promise.all(waiters);
    expect(order).toEqual(['1', '2', '3', 'barger']);
  });

  test('serves higher priorities first, and the same priority in order', async () => {
    const pool = world.makePool();
    const order: string[] = [];
    const held = await pool.acquire();
    const take = (name: string, priority?: number) => pool.use(() => void order.push(name), { priority });
    const all = [take('a'), take('low', -1), take('urgent', 5), take('b'), take('urgent too', 5)];
    held.release();
    await Promise.all(all);
    expect(order).toEqual(['urgent', 'urgent too', 'a', 'b', 'low']);
  });

  test('leaves no hole when one in the middle gives up, and eats no wake-up', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    const controller = new AbortController();
    const first = watch(pool.acquire());
    const middle = watch(pool.acquire({ signal: controller.signal }));
    const short = watch(pool.acquire({ timeout: 5 }));
    const last = watch(pool.acquire());
    const reason = { why: 'changed my mind' };
    controller.abort(reason);
    await pass(5);
    expect(middle.error).toBe(reason);
    expect(short.error).toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      waited: 5,
      timeout: 5,
      max: 1,
      inUse: 1,
    });
    held.release();
    await pass();
    first.value?.release();
    await pass();
    expect(last.value?.connection.id).toBe(0);
    last.value?.release();
    expect(pool.stats()).toMatchObject({ waiting: 0, idle: 1, acquireTimeouts: 1 });
  });

  test('refuses the caller above maxWaiting, and keeps nothing of it', async () => {
    const pool = world.makePool({ maxWaiting: 1, name: 'orders' });
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_QUEUE_FULL',
      pending: 1,
      limit: 1,
      message: 'the queue of "orders" is full: 1 waiting, limit 1',
    });
    held.release();
    (await waiting).release();
    expect(pool.stats()).toMatchObject({ refused: 1, waiting: 0 });
  });

  test('does not begin for a signal that is aborted already, even when a connection is free', async () => {
    const pool = world.makePool();
    await pool.use(() => {});
    const reason = new Error('too late');
    await expect(pool.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0 });
  });

  test('leaves no listener on the signal of a served caller', async () => {
    const pool = world.makePool();
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, 'removeEventListener');
    const add = vi.spyOn(signal, 'addEventListener');
    const lease = await pool.acquire({ signal });
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
    lease.release();
    (await pool.acquire({ signal })).release();
    expect(add).toHaveBeenCalledTimes(1);
  });

  test('is not overtaken while the connection of the first one is validated and a fresh one is idle', async () => {
    const validate = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 50));
    const pool = world.makePool({ max: 2, order: 'fifo', validate, validateAfterIdle: 500 });
    const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
    a.release();
    await pass(500);
    b.release();
    const first = watch(pool.acquire());
    const second = watch(pool.acquire());
    await pass();
    expect(first.value?.connection.id).toBe(1);
    expect(second.settled).toBe(false);
    await pass(50);
    expect(second.value?.connection.id).toBe(0);
  });

  test('needs no timer when a connection is free', async () => {
    const pool = world.makePool({ idleTimeout: Infinity, maxLifetime: Infinity });
    await pool.use(() => {});
    const timer = vi.spyOn(globalThis, 'setTimeout');
    for (let i = 0; i < 10; i++) await pool.use(() => {}, { timeout: 100 });
    expect(timer).not.toHaveBeenCalled();
  });

  test('keeps the async context of the caller, and create that of the pool', async () => {
    const storage = new AsyncLocalStorage<string>();
    const contexts: unknown[] = [];
    const { create } = world.peer.callbacks;
    const pool = world.makePool({
      create: (ctx) => {
        contexts.push(storage.getStore());
        return create(ctx);
      },
    });
    const held = await storage.run('first', () => pool.acquire());
    const waiting = storage.run('second', async () => {
      await pool.acquire();
      return storage.getStore();
    });
    storage.run('releaser', () => held.release());
    expect(await waiting).toBe('second');
    expect(contexts).toEqual([undefined]);
  });

  test('tells how long callers waited', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await pass(40);
    held.release();
    (await waiting).release();
    await pool.use(() => {});
    const stats = pool.stats();
    expect(stats.acquired).toBe(3);
    expect(stats.waitMax).toBe(40);
    expect(stats.waitP50).toBe(0);
  });
});
