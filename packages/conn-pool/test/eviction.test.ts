import { describe, expect, test, vi } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

interface Failure extends Error {
  code?: string;
}

const failure = (code: string): Failure => Object.assign(new Error(code), { code });

describe('evictAll()', () => {
  test('destroys idle connections now and lent ones when they come back, and opens min anew', async () => {
    const pool = world.makePool({ min: 2, max: 4 });
    const [held, other] = await take(pool, 2);
    await pool.warmUp();
    other?.release();
    expect(pool.evictAll()).toBe(2);
    await pass();
    expect(world.peer.connections.map((each) => each.alive)).toEqual([true, false, true]);
    expect(held?.connection.id).toBe(0);
    held?.release();
    await pass();
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, false, true, true]);
    expect(pool.stats()).toMatchObject({ idle: 2, inUse: 0, created: 4, destroyed: 2 });
  });

  test('gives up what is being created, and what comes of it after all serves nobody', async () => {
    world.peer.createDelay = 50;
    const reasons: unknown[] = [];
    const pool = world.makePool({
      max: 2,
      create: (ctx) => {
        ctx.signal.addEventListener('abort', () => reasons.push(ctx.signal.reason));
        return world.peer.callbacks.create(ctx);
      },
    });
    const waiting = watch(pool.acquire());
    await pass(20);
    expect(pool.evictAll()).toBe(0);
    expect(reasons).toMatchObject([{ code: 'PERF_CONN_POOL_EVICTED', name: 'ConnectionEvictedError' }]);
    await pass(30);
    expect(waiting.settled).toBe(false);
    await pass(20);
    expect(waiting.value?.connection.id).toBe(1);
    expect(world.peer.connections[0]?.alive).toBe(false);
    expect(pool.stats()).toMatchObject({ createErrors: 0, created: 2, destroyed: 1 });
  });

  test('takes a connection out of its validation, and the caller gets a new one', async () => {
    const pool = world.makePool({ max: 2, validate: () => new Promise(() => {}), validateAfterIdle: 0 });
    await pool.use(() => {});
    const waiting = watch(pool.acquire());
    await pass(1);
    expect(pool.evictAll()).toBe(1);
    await pass();
    expect(waiting.value?.connection.id).toBe(1);
  });

  test('counts no connection twice, and does nothing after close()', async () => {
    const pool = world.makePool({ max: 2 });
    const [held] = await take(pool, 1);
    expect(pool.evictAll()).toBe(1);
    expect(pool.evictAll()).toBe(0);
    held?.release();
    await pool.close();
    expect(pool.evictAll()).toBe(0);
    expect(world.peer).toMatchObject({ creates: 1, destroys: 1 });
  });

  test('keeps new connections that destroy() asked for meanwhile', async () => {
    let next: ReturnType<typeof watch> | undefined;
    const pool = world.makePool({
      max: 3,
      destroy: (connection) => {
        next ??= watch(pool.acquire());
        return world.peer.callbacks.destroy(connection);
      },
    });
    await pool.use(() => {});
    pool.evictAll();
    await pass();
    expect(next?.value).toBeDefined();
    expect(pool.stats()).toMatchObject({ inUse: 1, size: 1, created: 2 });
  });
});

describe('a failover', () => {
  const isFailover = (error: unknown) => ['57P01', 'ECONNRESET'].includes((error as Failure).code ?? '');

  test('that an idle connection dies of drops all made before, and leaves lent ones to their owners', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ max: 4, isFailover, onError });
    const [a, b, c] = await take(pool, 3);
    a?.release();
    b?.release();
    world.peer.connections[0]?.lost(failure('57P01'));
    await pass();
    expect(world.peer.connections.map((each) => each.alive)).toEqual([false, false, true]);
    expect(c?.connection.alive).toBe(true);
    c?.release();
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0, destroyed: 3 });
    expect(onError).toHaveBeenCalledTimes(1);
  });

  test('is not one when the function says so, throws, rejects or answers with something else', async () => {
    const answers: unknown[] = [false, Promise.reject(new Error('bad')), 'yes', undefined];
    const pool = world.makePool({
      max: 10,
      isFailover: () => {
        if (answers.length === 0) throw new Error('bad');
        return answers.shift() as boolean;
      },
    });
    const leases = await take(pool, 8);
    for (const lease of leases.slice(0, 7)) lease.release();
    for (let i = 0; i < 5; i++) world.peer.connections[i]?.lost(failure('57P01'));
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 2, inUse: 1 });
    leases[7]?.release();
  });

  test('costs the pool one eviction, however many connections die of it, and spares the new ones', async () => {
    const pool = world.makePool({ max: 6, isFailover, isFatal: isFailover });
    const leases = await take(pool, 3);
    const died = watch(pool.use(() => Promise.reject(failure('ECONNRESET'))));
    await pass();
    expect(died.error).toMatchObject({ code: 'ECONNRESET' });
    const fresh = await pool.acquire();
    const { connection } = fresh;
    fresh.release();
    world.peer.connections[0]?.lost(failure('57P01'));
    leases[1]?.discard(failure('ECONNRESET'));
    await pass();
    expect(connection.alive).toBe(true);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 2 });
    leases[0]?.release();
    leases[2]?.release();
    await pass();
    expect(pool.stats()).toMatchObject({ size: 1, idle: 1 });
    expect(await pool.use((each) => each)).toBe(connection);
  });

  test.each(['throws', 'rejects', 'times out'])(
    'that validate %s of costs one validation, not one each',
    async (how) => {
      let vanished = false;
      const validate = vi.fn(() => {
        if (!vanished) return true;
        if (how === 'throws') throw failure('ECONNRESET');
        return how === 'rejects' ? Promise.reject(failure('ECONNRESET')) : new Promise<boolean>(() => {});
      });
      const pool = world.makePool({
        max: 20,
        validate,
        validateAfterIdle: 0,
        validateTimeout: 1_000,
        isFailover: (error) => isFailover(error) || (error as Failure).code === 'PERF_CONN_POOL_CALLBACK_TIMEOUT',
      });
      for (const lease of await take(pool, 10)) lease.release();
      vanished = true;
      const callers = [watch(pool.acquire()), watch(pool.acquire())];
      await pass(1_000);
      for (const caller of callers) expect(caller.value?.connection.id).toBeGreaterThanOrEqual(10);
      expect(validate.mock.calls.length).toBeLessThanOrEqual(2);
      expect(pool.stats()).toMatchObject({ inUse: 2, destroyed: 10 });
      await pass(10_000);
      expect(pool.stats()).toMatchObject({ inUse: 2 });
    },
  );

  test('that reset fails of drops the others too', async () => {
    const pool = world.makePool({
      max: 3,
      isFailover,
      reset: (connection) => {
        if (connection.id === 1) throw failure('57P01');
      },
    });
    const [a, b] = await take(pool, 2);
    a?.release();
    b?.release();
    await pass();
    expect(pool.stats()).toMatchObject({ size: 0, destroyed: 2 });
  });

  test('asked about while the pool is closed by force destroys nothing twice', async () => {
    const destroyed: number[] = [];
    const pool = world.makePool({
      max: 3,
      destroy: (connection) => {
        destroyed.push(connection.id);
        return world.peer.callbacks.destroy(connection);
      },
      isFailover: () => {
        void pool.close({ force: true });
        return true;
      },
    });
    const [a, b] = await take(pool, 2);
    b?.release();
    a?.discard(failure('57P01'));
    await pass();
    expect(new Set(destroyed)).toEqual(new Set([0, 1]));
    expect(destroyed).toHaveLength(2);
  });
});

describe('evictIdle()', () => {
  test('ends what is idle, opens min anew, and touches nothing lent', async () => {
    const pool = world.makePool({ min: 2, max: 4 });
    const held = await pool.acquire();
    await pool.warmUp();
    const { idle } = pool.stats();
    expect(pool.evictIdle()).toBe(idle);
    await pass();
    expect(held.connection.alive).toBe(true);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 1, destroyed: idle });
  });
});

describe('a connection that dies', () => {
  test('while idle is taken out at once: no caller sees it, and min is filled up', async () => {
    const onError = vi.fn();
    const pool = world.makePool({ min: 1, max: 2, onError });
    await pool.use(() => {});
    const reason = failure('ECONNRESET');
    world.peer.connections[0]?.lost(reason);
    world.peer.connections[0]?.lost(new Error('again'));
    expect(pool.stats()).toMatchObject({ idle: 0 });
    await pass(10);
    expect(pool.stats()).toMatchObject({ idle: 1, size: 1 });
    expect(onError.mock.calls).toEqual([[reason, 'connection']]);
    expect(await pool.use((connection) => connection.id)).toBe(1);
  });

  test('while lent frees its place only when the lease ends, and its owner gives it back as ever', async () => {
    const pool = world.makePool();
    const lease = await pool.acquire();
    lease.connection.lost(failure('ECONNRESET'));
    const next = watch(pool.acquire());
    await pass(100);
    expect(next.settled).toBe(false);
    expect(lease.connection.alive).toBe(true);
    expect(() => lease.release()).not.toThrow();
    await pass(5_000);
    expect(next.value?.connection.id).toBe(1);
    expect(world.peer.peak).toBe(1);
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
