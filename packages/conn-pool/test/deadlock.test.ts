import { delay } from '@perf/core';
import { describe, expect, test } from 'vitest';
import { DeadlockWatch, type Scope } from '../src/deadlock-watch.ts';
import { PoolDeadlockError } from '../src/index.ts';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('one use() inside another', () => {
  test('that would wait for ever is told so at once, with the places of those who hold the connections', async () => {
    const pool = world.makePool({ max: 2, detectDeadlocks: true, name: 'orders' });
    const transfer = () =>
      pool.use(async () => {
        await delay(1);
        return pool.use(() => 'both');
      });
    const [first, second] = [watch(transfer()), watch(transfer())];
    await pass(2);
    // The one whose wait would have completed the circle; its connection then serves the other.
    expect(second.error).toBeInstanceOf(PoolDeadlockError);
    expect(second.error).toMatchObject({
      code: 'PERF_CONN_POOL_DEADLOCK',
      message: expect.stringContaining('"orders"'),
    });
    const { owners } = second.error as PoolDeadlockError;
    expect(owners).toHaveLength(2);
    for (const stack of owners) expect(stack).toContain('deadlock.test.ts');
    expect(first.value).toBe('both');
    expect(pool.stats()).toMatchObject({ idle: 2, waiting: 0 });
  });

  test('waits while somebody outside of it may give a connection back', async () => {
    const pool = world.makePool({ max: 2, detectDeadlocks: true });
    const held = await pool.acquire();
    const nested = watch(pool.use(() => pool.use((connection) => connection.id)));
    await pass(10);
    expect(nested.settled).toBe(false);
    held.release();
    await pass();
    expect(nested.value).toBe(0);
  });

  test('is told in the error of one whose time is up how many others wait inside a use()', async () => {
    const pool = world.makePool({ max: 2, detectDeadlocks: true });
    await pool.acquire();
    const outer = watch(pool.use(() => pool.acquire({ timeout: 100 })));
    const plain = watch(pool.acquire({ timeout: 50 }));
    await pass(100);
    expect(plain.error).toMatchObject({
      blocked: 1,
      message: expect.stringContaining('1 holding one and waiting for another'),
    });
    expect(outer.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' });
  });

  test('three deep on one connection is found, and so is acquire() in it', async () => {
    const pool = world.makePool({ max: 2, detectDeadlocks: true });
    const deep = watch(pool.use(() => pool.use(() => pool.use(() => 'never'))));
    await pass();
    expect(deep.error).toMatchObject({ code: 'PERF_CONN_POOL_DEADLOCK' });
    const acquired = watch(pool.use(() => pool.use(() => pool.acquire())));
    await pass();
    expect(acquired.error).toMatchObject({ code: 'PERF_CONN_POOL_DEADLOCK' });
    expect(await pool.use(() => pool.use(() => 'two are there'))).toBe('two are there');
  });

  test('that has ended blocks nobody, whatever it left behind', async () => {
    const pool = world.makePool({ max: 1, detectDeadlocks: true });
    const held = await pool.acquire();
    const left: unknown[] = [];
    const outer = pool.use(async () => {
      // Not waited for, but begun when the connection is given back.
      setTimeout(() => left.push(watch(pool.use(() => 'later'))), 10);
    });
    held.release();
    await outer;
    const again = await pool.acquire();
    await pass(10);
    expect(left[0]).toMatchObject({ settled: false });
    again.release();
    await pass();
    expect(left[0]).toMatchObject({ value: 'later' });
  });

  test('counts the leases that a connection serves', async () => {
    const pool = world.makePool({ max: 1, maxLeasesPerConnection: 2, detectDeadlocks: true });
    expect(await pool.use(() => pool.use(() => 'fits'))).toBe('fits');
    const deep = watch(pool.use(() => pool.use(() => pool.use(() => 'never'))));
    await pass();
    expect(deep.error).toMatchObject({ code: 'PERF_CONN_POOL_DEADLOCK' });
  });

  test('that begins the next one and goes on a little leaves no chain behind', async () => {
    const watcher = new DeadlockWatch();
    let last: Scope | undefined;
    const link = async (left: number): Promise<void> => {
      await delay(1);
      last = watcher.current;
      if (left > 0) void watcher.run(new Error('here'), () => link(left - 1));
      await Promise.resolve();
    };
    void watcher.run(new Error('here'), () => link(10));
    await pass(20);
    let length = 0;
    for (let each = last; each !== undefined; each = each.parent) length++;
    expect(length).toBeLessThanOrEqual(2);
  });

  test('waits until its time is up when nobody watches', async () => {
    const pool = world.makePool({ acquireTimeout: 100 });
    const nested = watch(pool.use(() => pool.use(() => 'never')));
    await pass(99);
    expect(nested.settled).toBe(false);
    await pass(1);
    expect(nested.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', blocked: undefined });
    expect(pool.stats()).toMatchObject({ idle: 1 });
  });
});
