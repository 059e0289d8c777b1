import { delay } from '@perf/core';
import { describe, expect, test, vi } from 'vitest';
import { World, pass } from './world.ts';

const world = new World();

describe('a lease held for too long', () => {
  test('is reported once, with the place where it was taken', async () => {
    const onLeak = vi.fn();
    const pool = world.makePool({ leakThreshold: 1_000, onLeak, name: 'orders' });
    const leaky = async () => pool.acquire();
    await leaky();
    await pass(999);
    expect(onLeak).not.toHaveBeenCalled();
    await pass(5_000);
    expect(onLeak).toHaveBeenCalledTimes(1);
    expect(onLeak.mock.calls[0]?.[0]).toMatchObject({ pool: 'orders', heldFor: 1_000, returned: false });
    expect(onLeak.mock.calls[0]?.[0].stack).toContain('leaks.test.ts');
    expect(pool.stats().leaks).toBe(1);
  });

  test.each(['release', 'discard'] as const)('is reported once more when it ends late, by %s', async (how) => {
    const onLeak = vi.fn();
    const pool = world.makePool({ leakThreshold: 1_000, onLeak });
    const lease = await pool.acquire();
    await pass(3_000);
    lease[how]();
    await pass(5_000);
    expect(onLeak.mock.calls.map(([leak]) => [leak.returned, leak.heldFor])).toEqual([
      [false, 1_000],
      [true, 3_000],
    ]);
    expect(onLeak.mock.calls[1]?.[0].stack).toBe(onLeak.mock.calls[0]?.[0].stack);
    expect(pool.stats().leaks).toBe(1);
  });

  test('was taken by a waiter: its time counts from when it was served, its place is where it asked', async () => {
    const onLeak = vi.fn();
    const pool = world.makePool({ leakThreshold: 1_000, onLeak });
    const held = await pool.acquire();
    const waits = async () => pool.use(() => delay(10_000));
    const leaky = waits();
    await pass(900);
    held.release();
    await pass(999);
    expect(onLeak).not.toHaveBeenCalled();
    await pass(1);
    expect(onLeak).toHaveBeenCalledTimes(1);
    expect(onLeak.mock.calls[0]?.[0].stack).toContain('leaks.test.ts');
    await pass(10_000);
    await leaky;
  });

  test('is told apart from others of the same connection', async () => {
    const onLeak = vi.fn();
    const pool = world.makePool({ leakThreshold: 1_000, onLeak, maxLeasesPerConnection: 2 });
    await pool.acquire();
    await pass(500);
    const other = await pool.acquire();
    await pass(600);
    expect(onLeak).toHaveBeenCalledTimes(1);
    other.release();
    await pass(5_000);
    expect(onLeak).toHaveBeenCalledTimes(1);
  });

  test('is a warning of the process, and another when it ends, when nobody else listens', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const pool = world.makePool({ leakThreshold: 1_000 });
    const lease = await pool.acquire();
    await pass(1_001);
    const warning = expect.objectContaining({ code: 'PERF_CONN_POOL_LEAK' });
    expect(warn).toHaveBeenLastCalledWith(expect.stringContaining('not released'), warning);
    lease.release();
    expect(warn).toHaveBeenLastCalledWith(expect.stringContaining('returned late'), warning);
    expect(warn).toHaveBeenCalledTimes(2);
  });
});
