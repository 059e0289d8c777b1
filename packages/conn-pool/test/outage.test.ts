import { describe, expect, test, vi } from 'vitest';
import { MAX_RETRY_DELAY } from '../src/backoff.ts';
import { World, pass, take, watch } from './world.ts';

const world = new World();

const OUTAGE = 30_000;

describe.each([0, 0.01, 0.5, 0.99, 'dice'] as const)('an outage of 30 s, with the jitter at %s', (dice) => {
  test('costs the peer 30 tries at most, and each caller its own time, with the cause', async () => {
    if (dice !== 'dice') vi.spyOn(Math, 'random').mockReturnValue(dice);
    const down = (world.peer.down = new Error('ECONNREFUSED'));
    const pool = world.makePool({ max: 10, acquireTimeout: 2_000 });
    const outcomes: ReturnType<typeof watch>[] = [];
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 10);
    for (let i = 0; i < 1_000; i++) {
      outcomes.push(watch(pool.use(() => 'served')));
      await pass(OUTAGE / 1_000);
    }
    clearInterval(ticking);
    expect(ticks).toBe(OUTAGE / 10);
    expect(world.peer.creates).toBeLessThanOrEqual(30);
    expect(world.peer.peakCreating).toBeLessThanOrEqual(4);
    const failed = outcomes.filter((each) => each.settled);
    expect(failed).toHaveLength(934);
    for (const { error } of failed) expect(error).toMatchObject({ waited: 2_000, cause: down });
    expect(pool.stats()).toMatchObject({ waiting: 66, acquireTimeouts: 934 });
  });

  test('is over for all who wait when the first create succeeds, at most one probe after the peer is back', async () => {
    if (dice !== 'dice') vi.spyOn(Math, 'random').mockReturnValue(dice);
    world.peer.down = new Error('ECONNREFUSED');
    const latency = (world.peer.createDelay = 20);
    const pool = world.makePool({ max: 10, acquireTimeout: 60_000 });
    let served = 0;
    let firstServed = NaN;
    let lastServed = NaN;
    const callers = Array.from({ length: 1_000 }, () =>
      pool.use(() => {
        served++;
        lastServed = performance.now();
        if (served === 1) firstServed = lastServed;
      }),
    );
    await pass(OUTAGE);
    expect(world.peer.creates).toBeLessThanOrEqual(30);
    world.peer.down = undefined;
    const back = performance.now();
    await pass(MAX_RETRY_DELAY + latency);
    expect(served).toBe(1_000);
    expect(firstServed - back).toBeLessThanOrEqual(MAX_RETRY_DELAY + latency);
    expect(lastServed - firstServed).toBeLessThanOrEqual(latency);
    await Promise.all(callers);
    expect(pool.stats()).toMatchObject({ waiting: 0, acquireTimeouts: 0 });
  });
});

test('a create that hangs over the end of an outage serves within its own latency', async () => {
  // A peer that drops packets: the half-open try is on its way when it comes back.
  let reachable: (() => void) | undefined;
  const back = new Promise<void>((resolve) => (reachable = resolve));
  const pool = world.makePool({
    max: 5,
    createTimeout: 60_000,
    create: async (ctx) => {
      await back;
      return world.peer.callbacks.create(ctx);
    },
  });
  const callers = Array.from({ length: 100 }, () => watch(pool.use(() => {})));
  await pass(20_000);
  reachable?.();
  await pass();
  expect(callers.every((each) => each.settled && each.error === undefined)).toBe(true);
});

test('a server that has no room for more is not pestered, though the connections it has work', async () => {
  const pool = world.makePool({ max: 10, acquireTimeout: 1_000 });
  const busy = await take(pool, 2);
  world.peer.down = new Error('too many clients already');
  const before = world.peer.creates;
  let served = 0;
  for (let i = 0; i < 3_000; i++) {
    void pool.use(() => served++);
    busy.shift()?.release();
    await pass(5);
    busy.push(await pool.acquire());
    if (i % 3 === 0) watch(pool.use(() => served++));
  }
  expect(served).toBeGreaterThan(3_000);
  expect(world.peer.creates - before).toBeLessThanOrEqual(9 + 15_000 / 1_500);
  for (const lease of busy) lease.release();
});

describe('after an outage', () => {
  test('the waits start short again once a connection was used', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    world.peer.down = new Error('down');
    const pool = world.makePool();
    const served = watch(pool.use(() => {}));
    await pass(20_000);
    world.peer.down = undefined;
    await pass(5_000);
    expect(served.settled).toBe(true);
    world.peer.connections[0]?.lost();
    world.peer.down = new Error('down again');
    const before = world.peer.creates;
    const again = watch(pool.acquire());
    await pass(20);
    expect(world.peer.creates - before).toBe(3);
    world.peer.down = undefined;
    await pass(100);
    expect(again.value).toBeDefined();
  });

  test('min is filled without anybody asking, at the usual pace', async () => {
    world.peer.down = new Error('down');
    world.peer.createDelay = 5;
    const pool = world.makePool({ min: 8, max: 8, maxConcurrentCreates: 2 });
    await pass(OUTAGE);
    expect(pool.stats()).toMatchObject({ size: 0 });
    world.peer.down = undefined;
    world.peer.peakCreating = 0;
    await pass(MAX_RETRY_DELAY + 100);
    expect(pool.stats()).toMatchObject({ idle: 8 });
    expect(world.peer.peakCreating).toBe(2);
  });
});

test('a spike is met by the connections there are and as many new ones as are created at a time', async () => {
  const pool = world.makePool({ min: 5, max: 50, maxConcurrentCreates: 2 });
  await pool.warmUp();
  world.peer.createDelay = 150;
  const began = performance.now();
  let drained = NaN;
  const work = Promise.all(
    Array.from({ length: 50 }, () => pool.use(() => new Promise((resolve) => setTimeout(resolve, 2)))),
  ).then(() => (drained = performance.now() - began));
  await pass(1_000);
  await work;
  expect(drained).toBeLessThan(40);
  expect(world.peer.creates).toBeLessThanOrEqual(5 + 2);
  expect(pool.stats()).toMatchObject({ idle: 7, waiting: 0 });
});

test('of ten idle connections that die at once, callers are served before min is filled', async () => {
  const pool = world.makePool({ min: 10, max: 10, maxConcurrentCreates: 2 });
  await pool.warmUp();
  await Promise.all(Array.from({ length: 10 }, () => pool.use(() => pass(1))));
  world.peer.createDelay = 10;
  world.peer.peakCreating = 0;
  await pass(10_000);
  for (const connection of world.peer.connections) connection.lost();
  const callers = [watch(pool.acquire()), watch(pool.acquire())];
  await pass(10);
  expect(callers.every((each) => each.value !== undefined)).toBe(true);
  expect(pool.stats()).toMatchObject({ idle: 0, inUse: 2, creating: 2 });
  await pass(100);
  expect(pool.stats()).toMatchObject({ idle: 8, inUse: 2 });
  expect(world.peer.peakCreating).toBe(2);
});
