import { describe, expect, test, vi } from 'vitest';
import type { ConnectionPool, ConnectionPoolOptions } from '../src/index.ts';
import type { FakeConnection } from './fake-peer.ts';
import { World, pass, watch } from './world.ts';

const world = new World();

type Callback = 'create' | 'validate' | 'reset' | 'destroy';
const CALLBACKS: readonly Callback[] = ['create', 'validate', 'reset', 'destroy'];

const boom = () => new Error('boom');

/** Ways to answer that no callback should. */
const MISDEEDS: Record<string, () => unknown> = {
  throws: () => {
    throw boom();
  },
  'throws nothing in particular': () => {
    // oxlint-disable-next-line typescript/only-throw-error
    throw undefined;
  },
  rejects: () => Promise.reject(boom()),
  'never settles': () => new Promise(() => {}),
  'gives a thenable that throws': () => ({
    then() {
      throw boom();
    },
  }),
  'gives a thenable whose getter throws': () => ({
    get then() {
      throw boom();
    },
  }),
  'gives a thenable that answers twice, and throws then': () => ({
    then(_: unknown, reject: (error: unknown) => void) {
      reject(boom());
      reject(boom());
      throw boom();
    },
  }),
  'gives a thenable whose getter throws the second time': () => {
    let reads = 0;
    return {
      get then() {
        if (reads++ > 0) throw boom();
        return (resolve: (value: unknown) => void) => resolve(true);
      },
    };
  },
};

describe.each(CALLBACKS)('%s', (callback) => {
  test.each(Object.entries(MISDEEDS))('that %s costs one connection at most, and no caller', async (_, misdeed) => {
    let bad = true;
    const answer =
      (good: (...args: never[]) => unknown) =>
      (...args: never[]) =>
        bad ? misdeed() : good(...args);
    const good: Record<Callback, (...args: never[]) => unknown> = {
      ...world.peer.callbacks,
      validate: () => true,
      reset: () => {},
    };
    const pool = world.makePool({
      ...good,
      [callback]: answer(good[callback]),
      validateAfterIdle: 0,
      createTimeout: 100,
      validateTimeout: 100,
      destroyTimeout: 100,
      acquireTimeout: 5_000,
    } as Partial<ConnectionPoolOptions<FakeConnection>>);
    const first = watch(pool.acquire());
    await pass(10);
    if (callback === 'destroy') first.value?.discard();
    else first.value?.release();
    const second = watch(pool.acquire());
    await pass(10);
    bad = false;
    await pass(2_000);
    expect(first.value).toBeDefined();
    if (first.value?.ended === false) first.value.release();
    await pass(200);
    expect(second.value).toBeDefined();
    second.value?.release();
    await pass(200);
    expect(pool.stats()).toMatchObject({ idle: 1, size: 1, waiting: 0, inUse: 0 });
    expect(await pool.use(() => 'works')).toBe('works');
  });
});

describe.each(['onError', 'isFatal', 'isFailover', 'onLeak'] as const)('%s', (callback) => {
  test.each(Object.entries(MISDEEDS))('that %s does no harm', async (_, misdeed) => {
    const pool = world.makePool({ max: 3, leakThreshold: 50, onLeak: () => {}, [callback]: misdeed });
    const failing = watch(pool.use(() => Promise.reject(new Error('mine'))));
    await pass();
    expect(failing.error).toMatchObject({ message: 'mine' });
    const lease = await pool.acquire();
    await pass(100);
    lease.discard(new Error('broken'));
    await pool.use((connection) => connection.lost(new Error('reset')));
    await pass(10);
    expect(pool.stats()).toMatchObject({ size: 0, inUse: 0, waiting: 0, leaks: 1 });
  });
});

/** What a callback may do to the pool it belongs to. */
const REENTRIES: Record<string, (pool: ConnectionPool<FakeConnection>) => void> = {
  acquires: (pool) =>
    void pool.acquire({ timeout: 50 }).then(
      (lease) => lease.release(),
      () => {},
    ),
  'acquires and discards': (pool) =>
    void pool.acquire({ timeout: 50 }).then(
      (lease) => lease.discard(boom()),
      () => {},
    ),
  'evicts everything': (pool) => void pool.evictAll(),
  'evicts what is idle': (pool) => void pool.evictIdle(),
  resizes: (pool) => pool.closed || pool.resize({ max: 1 + (pool.stats().max % 3) }),
  'pauses and resumes': (pool) => {
    if (!pool.closed) pool.pause();
    queueMicrotask(() => pool.resume());
  },
  closes: (pool) => void pool.close(),
  'closes by force': (pool) => void pool.close({ force: true }),
};

describe.each(['create', 'validate', 'reset', 'destroy', 'onError', 'isFatal', 'isFailover'] as const)(
  'a %s that calls the pool back',
  (callback) => {
    test.each(Object.entries(REENTRIES))('and %s breaks nothing', async (_, reenter) => {
      const { peer } = world;
      let calls = 0;
      const inside = (): void => {
        if (calls++ < 5) reenter(pool);
      };
      const pool: ConnectionPool<FakeConnection> = world.makePool({
        max: 3,
        validateAfterIdle: 0,
        validate: () => calls % 3 < 2,
        reset: () => {},
        isFatal: () => true,
        create: (ctx) => {
          if (callback === 'create') inside();
          return peer.callbacks.create(ctx);
        },
        destroy: (connection) => {
          if (callback === 'destroy') inside();
          return peer.callbacks.destroy(connection);
        },
        ...(callback === 'validate' ? { validate: () => (inside(), calls % 3 < 2) } : {}),
        ...(callback === 'reset' ? { reset: inside } : {}),
        ...(callback === 'onError' ? { onError: inside } : {}),
        ...(callback === 'isFatal' ? { isFatal: () => (inside(), true) } : {}),
        ...(callback === 'isFailover' ? { isFailover: () => (inside(), true) } : {}),
      });
      const callers: ReturnType<typeof watch>[] = [];
      for (let round = 0; round < 15; round++) {
        callers.push(watch(pool.use(() => {})), watch(pool.use(() => {})));
        if (round % 3 === 0) callers.push(watch(pool.use(() => Promise.reject(boom()))));
        if (round % 3 === 1) callers.push(watch(pool.use((connection) => connection.lost(boom()))));
        await pass(3);
        if (round % 3 === 2) peer.connections.findLast((each) => each.alive)?.lost(boom());
        const { size, idle, inUse, creating, checking, destroying } = pool.stats();
        expect(size).toBe(idle + inUse + creating + checking + destroying);
        expect(peer.peak).toBeLessThanOrEqual(3);
      }
      expect(calls).toBeGreaterThan(0);
      await pass(30_000);
      expect(callers.every((each) => each.settled)).toBe(true);
      expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0 });
      await Promise.all([pool.close(), pass(10_000)]);
      expect(peer.live).toBe(0);
    });
  },
);

test('a connection that tells of its loss a hundred times, at any time, is lost once', async () => {
  const onError = vi.fn();
  const pool = world.makePool({ onError });
  const lease = await pool.acquire();
  const { lost } = lease.connection;
  for (let i = 0; i < 50; i++) lost(boom());
  lease.release();
  for (let i = 0; i < 50; i++) lost(boom());
  await pass(100);
  expect(onError).toHaveBeenCalledTimes(1);
  expect(pool.stats()).toMatchObject({ size: 0, created: 1, destroyed: 1 });
});
