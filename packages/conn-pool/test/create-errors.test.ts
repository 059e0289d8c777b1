import { describe, expect, test, vi } from 'vitest';
import { ConnectionPool } from '../src/index.ts';
import { World, pass, take, watch } from './world.ts';

const world = new World();

describe('onCreateError', () => {
  test("'retry' lets callers wait until their own time is up, and tells them why then", async () => {
    const down = (world.peer.down = new Error('refused'));
    const pool = world.makePool({ acquireTimeout: 100 });
    const waiting = watch(pool.acquire());
    await pass(99);
    expect(waiting.settled).toBe(false);
    await pass(1);
    expect(waiting.error).toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', cause: down });
  });

  test("'reject-head' turns off one caller for each failure, the first one first", async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const down = (world.peer.down = new Error('password rotated'));
    const pool = world.makePool({ max: 5, maxConcurrentCreates: 1, onCreateError: 'reject-head' });
    const waiting = [1, 2, 3].map(() => watch(pool.acquire()));
    await pass();
    expect(waiting.map((each) => each.settled)).toEqual([true, false, false]);
    expect(waiting[0]?.error).toMatchObject({
      code: 'PERF_CONN_POOL_CREATE_FAILED',
      name: 'CreateFailedError',
      cause: down,
    });
    await pass(10);
    expect(waiting.map((each) => each.settled)).toEqual([true, true, false]);
    world.peer.down = undefined;
    await pass(30);
    expect(waiting[2]?.value).toBeDefined();
    expect(world.peer.creates).toBe(3);
  });

  test("'reject-head' makes one try a caller where callers come one by one", async () => {
    world.peer.down = new Error('password rotated');
    const pool = world.makePool({ onCreateError: 'reject-head' });
    for (let i = 1; i <= 4; i++) {
      const caller = watch(pool.acquire());
      await pass(5_000);
      expect(caller.error).toMatchObject({ cause: world.peer.down });
      expect(world.peer.creates).toBe(i);
    }
  });

  test("'reject-all' turns off all who wait, whatever their priority, and those who come later at the next failure", async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const down = (world.peer.down = new Error('refused'));
    const pool = world.makePool({ max: 2, onCreateError: 'reject-all' });
    world.peer.down = undefined;
    const [held] = await take(pool, 1);
    world.peer.down = down;
    const first = [0, 5, -5].map((priority) => watch(pool.acquire({ priority })));
    await pass();
    for (const { error } of first) expect(error).toMatchObject({ code: 'PERF_CONN_POOL_CREATE_FAILED', cause: down });
    const later = watch(pool.acquire());
    await pass(9);
    expect(later.settled).toBe(false);
    await pass(1);
    expect(later.error).toMatchObject({ cause: down });
    const served = watch(pool.acquire());
    held?.release();
    await pass();
    expect(served.value?.connection.id).toBe(0);
  });

  test.each(['reject-head', 'reject-all'] as const)("'%s' is about timeouts of create too", async (onCreateError) => {
    world.peer.hangs = true;
    const pool = world.makePool({ createTimeout: 50, onCreateError });
    const waiting = watch(pool.use(() => {}));
    await pass(50);
    expect(waiting.error).toMatchObject({ code: 'PERF_CONN_POOL_CREATE_FAILED', cause: { operation: 'create' } });
    expect(pool.stats()).toMatchObject({ waiting: 0, inUse: 0 });
  });
});

describe('what create must not give', () => {
  test.each([[undefined], [null]])('%s is an error of create', async (nothing) => {
    const onError = vi.fn();
    const pool = world.makePool({ create: () => nothing as never, acquireTimeout: 50, onError });
    const waiting = watch(pool.acquire());
    await pass(50);
    expect(waiting.error).toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      cause: {
        code: 'PERF_CONN_POOL_NO_CONNECTION',
        name: 'NoConnectionError',
        message: `\`create\` must give a connection, got ${nothing}`,
      },
    });
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'PERF_CONN_POOL_NO_CONNECTION' }), 'create');
    expect(pool.stats()).toMatchObject({ size: 0, created: 0, destroyed: 0 });
  });

  test.each([[undefined], [null], ['']])('a failure for no reason but %o is a failure all the same', async (reason) => {
    const pool = world.makePool({ create: () => Promise.reject(reason), min: 1, acquireTimeout: 50 });
    const [waiting, warming] = [watch(pool.acquire()), watch(pool.warmUp())];
    await pass(50);
    const told = { cause: reason, message: expect.stringContaining('see cause') };
    expect(waiting.error).toMatchObject(told);
    expect(warming.error).toHaveProperty('cause', reason);
  });

  test.each([[0], [''], [false], [NaN], [0n]])('%s is a connection like any other', async (connection) => {
    const destroyed: unknown[] = [];
    const pool = new ConnectionPool<unknown>({
      create: () => connection,
      destroy: (each) => destroyed.push(each),
      max: 2,
    });
    const [a, b] = await Promise.all([pool.acquire(), pool.acquire()]);
    expect([a.connection, b.connection]).toEqual([connection, connection]);
    a.discard();
    b.release();
    expect(pool.stats()).toMatchObject({ idle: 1, size: 1 });
    await pool.close();
    expect(destroyed).toEqual([connection, connection]);
  });

  test.each([['object'], ['function']])(
    'an %s that is in the pool already: its owner notices nothing',
    async (kind) => {
      const shared = kind === 'object' ? { name: 'shared' } : () => {};
      const destroy = vi.fn();
      const pool = new ConnectionPool<unknown>({ create: () => shared, destroy, max: 2, acquireTimeout: 50 });
      const owner = await pool.acquire();
      const other = watch(pool.acquire());
      await pass(50);
      expect(other.error).toMatchObject({
        code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
        cause: { code: 'PERF_CONN_POOL_DUPLICATE_CONNECTION', name: 'DuplicateConnectionError' },
      });
      expect(destroy).not.toHaveBeenCalled();
      expect(owner.connection).toBe(shared);
      const next = watch(pool.acquire());
      owner.release();
      await pass();
      expect(next.value?.connection).toBe(shared);
      next.value?.release();
      await pool.close();
      expect(destroy).toHaveBeenCalledTimes(1);
      expect(pool.stats()).toMatchObject({ created: 1, destroyed: 1, size: 0 });
    },
  );

  test('an object that is being destroyed; after that it may come back', async () => {
    const shared = {};
    let finish: (() => void) | undefined;
    const pool = new ConnectionPool<object>({
      create: () => shared,
      destroy: () => new Promise<void>((resolve) => (finish = resolve)),
      max: 2,
      destroyTimeout: 1_000,
    });
    (await pool.acquire()).discard();
    const next = watch(pool.acquire({ timeout: 10_000 }));
    await pass(900);
    expect(next.settled).toBe(false);
    finish?.();
    await pass(2_000);
    expect(next.value?.connection).toBe(shared);
    await Promise.all([pool.close({ force: true }), pass(1_000)]);
  });

  test('late, an object that is in the pool already: it is not destroyed under its owner', async () => {
    const shared = {};
    const destroy = vi.fn();
    let slow = true;
    const pool = new ConnectionPool<object>({
      create: () => (slow ? new Promise((resolve) => setTimeout(() => resolve(shared), 100)) : shared),
      destroy,
      createTimeout: 50,
      max: 2,
    });
    const owner = watch(pool.acquire());
    await pass(50);
    slow = false;
    await pass(40);
    expect(owner.value?.connection).toBe(shared);
    await pass(100);
    expect(destroy).not.toHaveBeenCalled();
    expect(pool.stats()).toMatchObject({ size: 1, inUse: 1 });
    owner.value?.release();
    await pool.close();
  });
});

test('an onError that asks for a connection each time does not make the pool try in a loop', async () => {
  world.peer.down = new Error('down');
  const waiting: ReturnType<typeof watch>[] = [];
  const pool = world.makePool({
    max: 5,
    acquireTimeout: 500,
    onError: () => void (waiting.length < 100 && waiting.push(watch(pool.acquire()))),
  });
  waiting.push(watch(pool.acquire()));
  vi.spyOn(Math, 'random').mockReturnValue(1);
  await pass();
  expect(world.peer.creates).toBe(1);
  await pass(400);
  expect(world.peer.creates).toBeLessThan(20);
  await pass(200_000);
  expect(pool.stats()).toMatchObject({ size: 0 });
});
