import { ManualClock } from '@perf/testkit';
import { describe, expect, test, vi } from 'vitest';
import { ConnectionPool } from '../src/index.ts';
import type { FakeConnection } from './fake-peer.ts';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('validation', () => {
  test('is left out for a connection used just now', async () => {
    const validate = vi.fn(() => true);
    const pool = world.makePool({ validate, validateAfterIdle: 500 });
    await pool.use(() => {});
    await pass(499);
    await pool.use(() => {});
    expect(validate).not.toHaveBeenCalled();
    await pass(500);
    await pool.use(() => {});
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test('goes by the clock it is given', async () => {
    const validate = vi.fn(() => true);
    const clock = new ManualClock();
    const pool = world.makePool({ validate, clock, validateAfterIdle: 500 });
    await pool.use(() => {});
    clock.advance(500);
    await pool.use(() => {});
    expect(validate).toHaveBeenCalledTimes(1);
  });

  test.each<[string, () => boolean | Promise<boolean>]>([
    ['answers false', () => false],
    [
      'throws',
      () => {
        throw new Error('bad');
      },
    ],
    ['resolves to false', () => Promise.resolve(false)],
    ['rejects', () => Promise.reject(new Error('bad'))],
    ['never settles', () => new Promise(() => {})],
  ])('that %s costs the connection, not the caller, who stays at the head of the queue', async (_, validate) => {
    const pool = world.makePool({ validate, validateAfterIdle: 0, validateTimeout: 100, acquireTimeout: 1_000 });
    await pool.use(() => {});
    const first = watch(pool.acquire());
    const second = watch(pool.acquire());
    await pass(100);
    expect(first.value?.connection.id).toBe(1);
    expect(second.settled).toBe(false);
    first.value?.release();
    await pass();
    expect(second.value?.connection.id).toBe(1);
    second.value?.release();
    expect(pool.stats()).toMatchObject({ checkErrors: 1, created: 2, destroyed: 1 });
  });

  test('that succeeds too late does not bring the connection back', async () => {
    let answer: ((healthy: boolean) => void) | undefined;
    let signal: AbortSignal | undefined;
    const pool = world.makePool({
      validateAfterIdle: 0,
      validateTimeout: 100,
      validate: (_, ctx) => {
        ({ signal } = ctx);
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    await pool.use(() => {});
    const outcome = watch(pool.acquire());
    await pass(100);
    expect(signal?.reason).toMatchObject({ operation: 'validate', timeout: 100 });
    answer?.(true);
    await pass();
    expect(outcome.value?.connection.id).toBe(1);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, idle: 0 });
  });

  test.each([
    ['one is opened', 20, 110],
    ['all the others are validated at once, which makes room', 10, 210],
  ])('that is not answered by any of ten makes its caller wait once, not ten times: %s', async (_, max, limit) => {
    const validate = ({ id }: FakeConnection) => (id < 10 ? new Promise<boolean>(() => {}) : true);
    const pool = world.makePool({ max, validate, validateAfterIdle: 0, validateTimeout: 100, acquireTimeout: 500 });
    for (const lease of await take(pool, 10)) lease.release();
    const caller = watch(pool.acquire());
    await pass(limit);
    expect(caller.value?.connection.id).toBe(10);
    caller.value?.release();
  });

  test('that asks for its signal when its time is up gets one that has aborted', async () => {
    const reasons: unknown[] = [];
    const pool = world.makePool({
      validateAfterIdle: 0,
      validateTimeout: 100,
      validate: async (_, ctx) => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        reasons.push(ctx.signal.reason);
        return true;
      },
    });
    await pool.use(() => {});
    const caller = watch(pool.acquire());
    await pass(200);
    expect(reasons).toMatchObject([{ operation: 'validate' }]);
    caller.value?.release();
  });

  test('that finds ten thousand dead connections goes through them without recursion', async () => {
    const pool = new ConnectionPool<number>({
      create: () => 1,
      destroy: () => {},
      validate: () => false,
      validateAfterIdle: 0,
      max: 10_000,
      maxConcurrentCreates: 10_000,
    });
    const leases = await Promise.all(Array.from({ length: 10_000 }, () => pool.acquire()));
    for (const lease of leases) lease.release();
    const fresh = await pool.acquire();
    expect(pool.stats()).toMatchObject({ size: 1, destroyed: 10_000 });
    fresh.release();
    await pool.close();
  });

  test('of several connections runs at once for several callers', async () => {
    const validate = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 10));
    const pool = world.makePool({ max: 3, validate, validateAfterIdle: 0 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    const outcomes = [0, 1, 2].map(() => watch(pool.acquire()));
    expect(pool.stats()).toMatchObject({ checking: 3 });
    await pass(10);
    expect(outcomes.every((each) => each.settled)).toBe(true);
    expect(world.peer.creates).toBe(3);
  });
});

describe('a validate that calls back into the pool', () => {
  test('may tell that the connection is lost, and then say that it is fine', async () => {
    const pool = world.makePool({
      validateAfterIdle: 0,
      validate: (connection) => {
        if (connection.id === 0) connection.lost();
        return true;
      },
    });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    await pass();
    expect(next.value?.connection.id).toBe(1);
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, destroyed: 1 });
  });

  test('may wait for a connection, which is opened, since the caller it runs for gets this one', async () => {
    let inner: ReturnType<typeof watch> | undefined;
    const pool = world.makePool({
      max: 2,
      validateAfterIdle: 0,
      validate: () => {
        inner ??= watch(pool.use(({ id }) => id));
        return true;
      },
    });
    await pool.use(() => {});
    const held = await pool.acquire();
    await pass();
    expect(held.connection.id).toBe(0);
    expect(inner?.value).toBe(1);
    held.release();
  });

  test.each(['abort', 'close'] as const)('may %s, which the caller it runs for hears of', async (what) => {
    const controller = new AbortController();
    const pool = world.makePool({
      validateAfterIdle: 0,
      validate: () => {
        if (what === 'abort') controller.abort('enough');
        else void pool.close();
        return new Promise((resolve) => setTimeout(() => resolve(true), 10));
      },
    });
    await pool.use(() => {});
    const next = watch(pool.acquire({ signal: controller.signal }));
    await pass();
    expect(next.error).toEqual(
      what === 'abort' ? 'enough' : expect.objectContaining({ code: 'PERF_CONN_POOL_CLOSED' }),
    );
    await pass(10);
    expect(pool.stats()).toMatchObject({ idle: what === 'abort' ? 1 : 0, waiting: 0, checking: 0 });
  });
});

describe('reset', () => {
  test('runs between two callers', async () => {
    const log: string[] = [];
    const reset = async (connection: FakeConnection) => {
      log.push(`reset ${connection.owner}`);
      connection.owner = undefined;
    };
    const pool = world.makePool({ reset });
    const held = await pool.acquire();
    held.connection.owner = 'a';
    const next = pool.use((connection) => log.push(`owner ${connection.owner}`));
    held.release();
    expect(pool.stats()).toMatchObject({ checking: 1, waiting: 1 });
    await next;
    expect(log.slice(0, 2)).toEqual(['reset a', 'owner undefined']);
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
  ])('that %s ends the connection', async (_, reset) => {
    const onError = vi.fn();
    const pool = world.makePool({ reset, onError, validateTimeout: 100 });
    await pool.use(() => {});
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.value?.connection.id).toBe(1);
    expect(onError).toHaveBeenCalledWith(expect.any(Error), 'reset');
  });
});
