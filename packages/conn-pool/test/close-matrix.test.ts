import { describe, expect, test, vi } from 'vitest';
import type { CloseOptions, ConnectionPool, ConnectionPoolOptions } from '../src/index.ts';
import type { FakeConnection } from './fake-peer.ts';
import { type Outcome, World, pass, watch } from './world.ts';

const world = new World();

/** Never settles, whatever is done. */
const never = (): Promise<never> => new Promise(() => {});

interface Situation {
  readonly options?: Partial<ConnectionPoolOptions<FakeConnection>>;
  /** Brings `pool` into it. Returns the callers that wait. */
  enter(pool: ConnectionPool<FakeConnection>): Promise<Outcome<unknown>[]>;
  /** What comes of the callers that wait, and how many milliseconds after the call `close()` settles. */
  readonly graceful: Expectation;
  readonly deadline: Expectation;
  readonly force: Expectation;
  /** How many connections the peer still has afterwards, because it does not answer. */
  readonly left?: number;
}

interface Expectation {
  readonly callers: 'served' | 'timed out' | 'turned off';
  readonly settles: number;
}

const CALLER = 3_000;
const DEADLINE = 1_000;
const DESTROY = 500;
/** The time `close()` gives leases when it is given none. */
const PATIENCE = 10_000;

const turnedOff = (settles: number): Expectation => ({ callers: 'turned off', settles });
const timedOut = (settles: number): Expectation => ({ callers: 'timed out', settles });
const served = (settles: number): Expectation => ({ callers: 'served', settles });

let hang = false;
const hanging = (): Promise<boolean> | boolean => (hang ? never() : true);

const SITUATIONS: Record<string, Situation> = {
  'a queued waiter whose connection comes back': {
    enter: async (pool) => {
      const lease = await pool.acquire();
      const waiting = watch(pool.use(() => {}));
      setTimeout(() => lease.release(), 100);
      return [waiting];
    },
    graceful: served(100),
    deadline: served(100),
    force: turnedOff(0),
  },
  'a queued waiter and a leaked lease': {
    enter: async (pool) => {
      await pool.acquire();
      return [watch(pool.use(() => {}))];
    },
    graceful: timedOut(PATIENCE),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
  'a create under way': {
    enter: async (pool) => {
      world.peer.createDelay = 200;
      const waiting = watch(pool.use(() => {}));
      await pass(50);
      return [waiting];
    },
    graceful: served(150),
    deadline: served(150),
    force: turnedOff(150),
  },
  'a create that hangs': {
    options: { create: never },
    enter: async (pool) => {
      const waiting = watch(pool.use(() => {}));
      await pass();
      return [waiting];
    },
    graceful: timedOut(CALLER + DESTROY),
    deadline: turnedOff(DEADLINE + DESTROY),
    force: turnedOff(DESTROY),
  },
  'a create that fails': {
    enter: async (pool) => {
      world.peer.down = new Error('down');
      const waiting = watch(pool.use(() => {}));
      await pass(10);
      return [waiting];
    },
    graceful: timedOut(CALLER - 10),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
  'a validation that hangs': {
    options: { validate: hanging, validateAfterIdle: 0, validateTimeout: 5_000 },
    enter: async (pool) => {
      await pool.use(() => {});
      hang = true;
      return [watch(pool.use(() => {}))];
    },
    graceful: timedOut(5_000),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
  'a validation that hangs, for nobody': {
    options: { validate: hanging, keepaliveInterval: 100, validateTimeout: 5_000 },
    enter: async (pool) => {
      vi.spyOn(Math, 'random').mockReturnValue(0);
      await pool.use(() => {});
      hang = true;
      await pass(200);
      expect(pool.stats()).toMatchObject({ checking: 1 });
      return [];
    },
    graceful: served(4_900),
    deadline: served(DEADLINE),
    force: served(0),
  },
  'a reset that hangs': {
    options: { reset: never, validateTimeout: 5_000 },
    enter: async (pool) => {
      (await pool.acquire()).release();
      return [watch(pool.use(() => {}))];
    },
    graceful: timedOut(5_000),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
  'a destroy that hangs, and a caller waiting for its place': {
    options: { destroy: never },
    enter: async (pool) => {
      (await pool.acquire()).discard();
      return [watch(pool.use(() => {}))];
    },
    // The place of the first is free after `destroyTimeout`; the second dies as slowly.
    graceful: served(2 * DESTROY),
    deadline: served(2 * DESTROY),
    force: turnedOff(DESTROY),
    left: 2,
  },
  'a pause': {
    enter: async (pool) => {
      await pool.use(() => {});
      pool.pause();
      return [watch(pool.use(() => {}))];
    },
    graceful: turnedOff(0),
    deadline: turnedOff(0),
    force: turnedOff(0),
  },
  'a pause and a leaked lease': {
    enter: async (pool) => {
      await pool.acquire();
      pool.pause();
      return [watch(pool.use(() => {}))];
    },
    graceful: turnedOff(PATIENCE),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
  'a resize to less than what is lent': {
    options: { max: 3 },
    enter: async (pool) => {
      await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
      pool.resize({ max: 1 });
      return [watch(pool.use(() => {}))];
    },
    graceful: timedOut(PATIENCE),
    deadline: turnedOff(DEADLINE),
    force: turnedOff(0),
  },
};

const WAYS: readonly (readonly ['graceful' | 'deadline' | 'force', CloseOptions])[] = [
  ['graceful', {}],
  ['deadline', { timeout: DEADLINE }],
  ['force', { force: true }],
];

const CODES = {
  'timed out': 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
  'turned off': 'PERF_CONN_POOL_CLOSED',
};

describe.each(Object.entries(SITUATIONS))('close() during %s', (_, situation) => {
  test.each(WAYS)('%s: every caller settles, and so does close()', async (way, closeOptions) => {
    hang = false;
    const pool = world.makePool({ acquireTimeout: CALLER, destroyTimeout: DESTROY, ...situation.options });
    const callers = await situation.enter(pool);
    const { callers: fate, settles } = situation[way];
    const closed = watch(pool.close(closeOptions));
    const again = watch(pool.close());
    expect(pool.closed).toBe(true);
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_CLOSED' });
    if (settles > 0) {
      await pass(settles - 1);
      expect(closed.settled).toBe(false);
    }
    await pass(settles > 0 ? 1 : 0);
    expect(closed).toEqual({ settled: true, value: undefined });
    expect(again.settled).toBe(true);
    for (const caller of callers) {
      expect(caller.settled).toBe(true);
      if (fate === 'served') expect(caller.error).toBeUndefined();
      else expect(caller.error).toMatchObject({ code: CODES[fate] });
    }
    expect(pool.stats()).toMatchObject({ size: 0, waiting: 0 });
    await pass(60_000);
    expect(world.peer.creates === 0 ? 0 : world.peer.live).toBe(
      way === 'force' ? Math.min(situation.left ?? 0, 1) : (situation.left ?? 0),
    );
  });
});
