import { spawnSync } from 'node:child_process';
import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { AcquireTimeoutError } from '../src/index.ts';
import { World, pass, watch } from './world.ts';

const world = new World();

describe('the time of those who wait', () => {
  test('takes one timer, however many they are', async () => {
    const pool = world.makePool({ acquireTimeout: 1_000 });
    const held = await pool.acquire();
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const waiters = Array.from({ length: 1_000 }, () => pool.acquire());
    await pass(500);
    held.release();
    for (const waiter of waiters) (await waiter).release();
    expect(timer.mock.calls.length).toBeLessThan(5);
  });

  test('takes one listener a signal, however many share it', async () => {
    const pool = world.makePool();
    await pool.acquire();
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const waiters = Array.from({ length: 1_000 }, () => watch(pool.acquire({ signal: controller.signal })));
    expect(add).toHaveBeenCalledTimes(1);
    controller.abort('enough');
    await pass();
    expect(new Set(waiters.map((each) => each.error))).toEqual(new Set(['enough']));
    expect(pool.stats().waiting).toBe(0);
  });

  test('leaves nothing of five thousand that were up', async () => {
    const pool = world.makePool({ acquireTimeout: 100 });
    const held = await pool.acquire();
    const outcomes = Array.from({ length: 5_000 }, (_, index) =>
      watch(pool.acquire(index % 2 === 0 ? undefined : { timeout: 50 + (index % 7) })),
    );
    // A thousand a millisecond: the process goes on meanwhile.
    await pass(105);
    expect(outcomes.every((each) => each.error instanceof AcquireTimeoutError)).toBe(true);
    expect(pool.stats()).toMatchObject({ waiting: 0, acquireTimeouts: 5_000 });
    held.release();
    expect(pool.tryAcquire()).toBeDefined();
  });

  test('is never up early, nor late by more than the turn in which they came, whatever timeouts are mixed', async () => {
    const arrival = fc.record({
      after: fc.constantFrom(0, 0, 0, 1, 3, 10),
      // Those without one have the pool's.
      timeout: fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined }),
      priority: fc.constantFrom(0, 0, 1),
      leaves: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 60 }), async (arrivals) => {
        const pool = world.makePool({ acquireTimeout: 40 });
        const held = await pool.acquire();
        const waits: (number | string)[] = [];
        for (const [index, { after, timeout = 40, priority, leaves }] of arrivals.entries()) {
          if (after > 0) await pass(after);
          const came = performance.now();
          const controller = new AbortController();
          if (leaves !== undefined) setTimeout(() => controller.abort(), leaves);
          const expected = leaves !== undefined && leaves <= timeout ? leaves : timeout;
          const options = timeout === 40 ? { priority } : { priority, timeout };
          pool.acquire({ ...options, signal: controller.signal }).then(
            () => (waits[index] = 'served'),
            () => {
              const waited = performance.now() - came;
              waits[index] = waited === expected ? 'right' : waited;
            },
          );
        }
        await pass(100);
        expect(waits).toEqual(arrivals.map(() => 'right'));
        held.release();
        expect(pool.stats()).toMatchObject({ waiting: 0, idle: 1 });
        await Promise.all([pool.close(), pass(10)]);
      }),
      { numRuns: 200 },
    );
  });

  test('counts from the end of a long turn for those who came after many others in it', async () => {
    const clock = new ManualClock();
    const tick = async (ms: number) => {
      clock.advance(ms);
      await pass(ms);
    };
    const pool = world.makePool({ acquireTimeout: 100, clock });
    await pool.acquire();
    const outcomes = Array.from({ length: 20 }, () => watch(pool.acquire()));
    const settled = () => outcomes.filter((each) => each.settled).length;
    // 30 ms of work in the same turn.
    clock.advance(30);
    await pass();
    await tick(70);
    await pass(30);
    const early = settled();
    await tick(29);
    expect(settled()).toBe(early);
    await tick(1);
    expect(early).toBeLessThan(20);
    expect(settled()).toBe(20);
  });

  test('longer than a timer of Node can be is waited for in steps', async () => {
    const pool = world.makePool({ acquireTimeout: 3 * 2 ** 31 });
    await pool.acquire();
    const outcome = watch(pool.acquire());
    await pass(3 * 2 ** 31 - 1);
    expect(outcome.settled).toBe(false);
    await pass(1);
    expect(outcome.error).toBeInstanceOf(AcquireTimeoutError);
  });
});

describe('priorities', () => {
  test('are worth a second of waiting a point, so that a stream of high ones starves nobody', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    const order: string[] = [];
    const low = pool.use(() => void order.push('low'));
    await pass(900);
    const early = pool.use(() => void order.push('high, soon after'), { priority: 1 });
    await pass(200);
    const late = pool.use(() => void order.push('high, more than a second later'), { priority: 1 });
    held.release();
    await Promise.all([low, early, late]);
    expect(order).toEqual(['high, soon after', 'low', 'high, more than a second later']);
  });

  test('are kept apart when many of each come in one turn', async () => {
    const pool = world.makePool();
    const held = await pool.acquire();
    const order: number[] = [];
    const uses = Array.from({ length: 60 }, (_, index) =>
      pool.use(() => void order.push(index), { priority: index % 3, timeout: index % 2 === 0 ? 5_000 : undefined }),
    );
    held.release();
    await Promise.all(uses);
    const byPriority = [2, 1, 0].flatMap((priority) =>
      uses.map((_, index) => index).filter((each) => each % 3 === priority),
    );
    expect(order).toEqual(byPriority);
  });
});

describe('the process', () => {
  const run = (code: string) => {
    const index = new URL('../src/index.ts', import.meta.url).href;
    const text = `import { ConnectionPool } from ${JSON.stringify(index)};
      const pool = new ConnectionPool({ create: () => ({}), destroy: () => {}, max: 1, acquireTimeout: 250 });
      ${code}`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', text], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    return { stdout: stdout.trim(), status };
  };

  test.each([
    ['the timeout of the pool', '', 'PERF_CONN_POOL_ACQUIRE_TIMEOUT'],
    ['a timeout of its own', '{ timeout: 200 }', 'PERF_CONN_POOL_ACQUIRE_TIMEOUT'],
    ['a signal alone', '{ timeout: Infinity, signal: controller.signal }', 'aborted'],
  ])('stays alive for a caller that waits with %s', (_, options, code) => {
    const text = `await pool.acquire();
      const controller = new AbortController();
      setTimeout(() => controller.abort({ code: 'aborted' }), 300).unref();
      await pool.acquire(${options}).catch((error) => console.log(error.code));`;
    expect(run(text)).toEqual({ stdout: code, status: 0 });
  });

  test('stays alive for a warmUp() without a limit', () => {
    const code = `let tries = 0;
      const create = () => (tries++ < 3 ? Promise.reject(new Error('down')) : {});
      const cold = new ConnectionPool({ create, destroy: () => {}, min: 1, max: 1 });
      await cold.warmUp({ timeout: Infinity });
      console.log(tries);`;
    expect(run(code)).toEqual({ stdout: '4', status: 0 });
  });

  test('ends when nobody waits any more, although the pool is not closed and a connection is lent', () => {
    const code = `const lease = await pool.acquire();
      const others = Array.from({ length: 50 }, () => pool.acquire({ timeout: 1_000_000 }));
      lease.release();
      for (const other of others.slice(0, -1)) (await other).release();
      console.log((await others.at(-1)).ended);`;
    expect(run(code)).toEqual({ stdout: 'false', status: 0 });
  });
});
