import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConnectionPool, type Lease } from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';

/** What may happen to a pool, in any order. `which` is taken modulo what there is. */
type Step =
  | { do: 'acquire'; timeout: number; priority: number }
  | { do: 'release' | 'discard' | 'abort' | 'release again' | 'lose'; which: number }
  | { do: 'time'; ms: number }
  | { do: 'peer'; mood: Mood }
  | { do: 'fitness'; fitness: Fitness }
  | { do: 'evict' | 'evict all' | 'pause' | 'resume' }
  | { do: 'resize'; max: number; min: number };
type Mood = 'up' | 'down' | 'slow' | 'too slow' | 'hangs';
type Fitness = 'fit' | 'unfit' | 'throws' | 'hangs' | 'slow';

const doing = <const T extends Step['do']>(...what: T[]) => fc.constantFrom(...what);
const which = fc.nat(20);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: doing('acquire'),
      timeout: fc.integer({ min: 1, max: 60 }),
      priority: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: doing('release', 'release', 'discard', 'abort', 'release again', 'lose'), which }),
  },
  { weight: 5, arbitrary: fc.record({ do: doing('time'), ms: fc.integer({ min: 0, max: 40 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: doing('peer'),
      mood: fc.constantFrom<Mood[]>('up', 'down', 'slow', 'too slow', 'hangs'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: doing('fitness'),
      fitness: fc.constantFrom<Fitness[]>('fit', 'unfit', 'throws', 'hangs', 'slow'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: doing('evict', 'evict all', 'pause', 'resume', 'resume') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: doing('resize'),
      max: fc.integer({ min: 1, max: 5 }),
      min: fc.integer({ min: 0, max: 1 }),
    }),
  },
);

function pick<T>(from: readonly T[], index: number): T | undefined {
  return from[index % Math.max(1, from.length)];
}

interface Caller {
  readonly controller: AbortController;
  readonly name: string;
  state: 'waiting' | 'served' | 'failed';
  /** What it holds. */
  held?: { readonly lease: Lease<FakeConnection>; readonly connection: FakeConnection };
}

class World {
  readonly peer = new FakePeer();
  readonly callers: Caller[] = [];
  readonly ended: Lease<FakeConnection>[] = [];
  readonly pool: ConnectionPool<FakeConnection>;
  fitness: Fitness = 'fit';
  violation: string | undefined;
  /** How many places were taken when it was looked last. */
  #size = 0;

  constructor(options: { min: number; max: number; reset: boolean; destroyDelay: number }) {
    this.peer.destroyDelay = options.destroyDelay;
    this.pool = new ConnectionPool<FakeConnection>({
      ...this.peer.callbacks,
      min: options.min,
      max: options.max,
      maxWaiting: 8,
      maxConcurrentCreates: 2,
      createTimeout: 30,
      validateTimeout: 20,
      validateAfterIdle: 5,
      idleTimeout: 50,
      maxLifetime: 200,
      keepaliveInterval: 30,
      maxUses: 5,
      isFailover: () => this.fitness === 'throws',
      validate: () => this.#check(),
      ...(options.reset ? { reset: () => this.#check() } : {}),
    });
  }

  #check(): boolean | Promise<boolean> {
    if (this.fitness === 'throws') throw new Error('unfit');
    if (this.fitness === 'hangs') return new Promise(() => {});
    if (this.fitness === 'slow') return new Promise((resolve) => setTimeout(() => resolve(true), 10));
    return this.fitness === 'fit';
  }

  acquire(timeout: number, priority: number): void {
    const caller: Caller = {
      controller: new AbortController(),
      name: `caller ${this.callers.length}`,
      state: 'waiting',
    };
    this.callers.push(caller);
    const settled = (state: Caller['state']): void => {
      if (caller.state !== 'waiting') this.violation = `${caller.name} settled twice`;
      caller.state = state;
    };
    this.pool.acquire({ timeout, priority, signal: caller.controller.signal }).then(
      (lease) => {
        settled('served');
        this.#receive(caller, lease);
      },
      () => settled('failed'),
    );
  }

  #receive(caller: Caller, lease: Lease<FakeConnection>): void {
    let connection: FakeConnection;
    try {
      ({ connection } = lease);
    } catch {
      // The pool was closed by force between the serving and this.
      if (!this.pool.closed) this.violation = `${caller.name} got a lease that is void`;
      return;
    }
    if (connection.owner !== undefined) this.violation = `${caller.name} got the connection of ${connection.owner}`;
    if (!connection.alive) this.violation = `${caller.name} got a destroyed connection`;
    connection.owner = caller.name;
    caller.held = { lease, connection };
  }

  end(index: number, how: 'release' | 'discard'): void {
    const caller = pick(
      this.callers.filter((each) => each.held !== undefined),
      index,
    );
    if (caller?.held === undefined) return;
    const { lease, connection } = caller.held;
    delete caller.held;
    connection.owner = undefined;
    lease[how]();
    this.ended.push(lease);
  }

  mood(mood: Mood): void {
    this.peer.down = mood === 'down' ? new Error('down') : undefined;
    this.peer.hangs = mood === 'hangs';
    this.peer.createDelay = mood === 'slow' ? 20 : mood === 'too slow' ? 45 : 0;
  }

  async take(action: Step): Promise<void> {
    switch (action.do) {
      case 'acquire':
        return this.acquire(action.timeout, action.priority);
      case 'release':
      case 'discard':
        return this.end(action.which, action.do);
      case 'abort':
        return pick(this.callers, action.which)?.controller.abort();
      case 'release again': {
        const lease = pick(this.ended, action.which);
        if (lease !== undefined) expect(() => lease.release()).toThrow('this lease has ended');
        return undefined;
      }
      case 'lose':
        return pick(
          this.peer.connections.filter((each) => each.alive),
          action.which,
        )?.lost(new Error('lost'));
      case 'time':
        return void (await vi.advanceTimersByTimeAsync(action.ms));
      case 'peer':
        return this.mood(action.mood);
      case 'fitness':
        this.fitness = action.fitness;
        return undefined;
      case 'evict':
        return void this.pool.evictIdle();
      case 'evict all':
        return void this.pool.evictAll();
      case 'pause':
        if (!this.pool.closed) this.pool.pause();
        return undefined;
      case 'resume':
        return this.pool.resume();
      case 'resize':
        if (!this.pool.closed) this.pool.resize({ min: action.min, max: action.max });
        return undefined;
    }
  }

  check(): void {
    expect(this.violation).toBeUndefined();
    const stats = this.pool.stats();
    expect(stats.size).toBe(stats.idle + stats.inUse + stats.creating + stats.checking + stats.destroying);
    // Above a smaller `max` after a resize, and then only fewer.
    expect(stats.size).toBeLessThanOrEqual(Math.max(stats.max, this.#size));
    expect(this.peer.live).toBeLessThanOrEqual(Math.max(stats.max, this.#size));
    this.#size = stats.size;
    expect(stats.waiting).toBeLessThanOrEqual(8);
    expect(stats.created - stats.destroyed).toBe(stats.idle + stats.inUse + stats.checking + stats.destroying);
    for (const value of Object.values(stats)) expect(value).toBeGreaterThanOrEqual(0);
  }

  /** After this much calm everything must have settled: nobody waits while a connection is free or could be made. */
  async calmDown(): Promise<void> {
    this.pool.resume();
    this.mood('up');
    this.fitness = 'fit';
    for (let round = 0; round < 2; round++) {
      while (this.callers.some((each) => each.held !== undefined)) this.end(0, 'release');
      await vi.advanceTimersByTimeAsync(10_000);
    }
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  // Jitter that does not vary, so that a counterexample can be run again.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const setup = fc.record({
  max: fc.integer({ min: 1, max: 4 }),
  min: fc.constant(0),
  reset: fc.boolean(),
  destroyDelay: fc.constantFrom(0, 15),
});

test('whatever happens: one owner, never above max, every caller settles, and the pool works afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(setup, fc.boolean(), fc.array(step, { maxLength: 60 }), async (options, keepsMin, steps) => {
      const world = new World({ ...options, min: keepsMin ? options.max - 1 : 0 });
      for (const action of steps) {
        await world.take(action);
        world.check();
      }
      await world.calmDown();
      world.check();
      expect(world.pool.stats().size).toBeLessThanOrEqual(world.pool.stats().max);
      expect(world.callers.filter((each) => each.state === 'waiting')).toEqual([]);
      expect(world.pool.stats()).toMatchObject({ waiting: 0, inUse: 0, checking: 0 });
      expect(world.pool.stats().size).toBeGreaterThanOrEqual(world.pool.stats().min);
      const again = world.pool.use((connection) => connection.alive);
      // The only connection there may be may just be replaced.
      await vi.advanceTimersByTimeAsync(100);
      expect(await again).toBe(true);
      await Promise.all([world.pool.close(), vi.advanceTimersByTimeAsync(100)]);
      expect(world.peer.live).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 400 },
  );
});

test('whenever it is closed, and however: everybody settles and nothing stays', async () => {
  const closeOptions = fc.record({ force: fc.boolean(), timeout: fc.integer({ min: 1, max: 100 }) });
  await fc.assert(
    fc.asyncProperty(
      setup,
      closeOptions,
      fc.array(step, { maxLength: 40 }),
      fc.array(step, { maxLength: 20 }),
      async (options, how, before, after) => {
        const world = new World(options);
        for (const action of before) await world.take(action);
        let closed = false;
        void world.pool.close(how).then(() => (closed = true));
        for (const action of after) await world.take(action);
        await vi.advanceTimersByTimeAsync(30_000);
        expect(closed).toBe(true);
        expect(world.callers.filter((each) => each.state === 'waiting')).toEqual([]);
        expect(world.peer.live).toBe(0);
        expect(world.pool.stats()).toMatchObject({ size: 0, waiting: 0 });
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});
