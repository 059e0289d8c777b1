import { describe, expect, test } from 'vitest';
import { World, pass, take, watch } from './world.ts';

const world = new World();

const in5ms = (answer: unknown) => new Promise<never>((resolve) => setTimeout(() => resolve(answer as never), 5));

describe('a connection that takes a second to die', () => {
  test('after a failed validate does not hold up the caller: another idle one is lent', async () => {
    world.peer.destroyDelay = 1_000;
    const pool = world.makePool({ max: 10, validateAfterIdle: 0, validate: ({ id }) => in5ms(id === 0) });
    for (const lease of await take(pool, 2)) lease.release();
    const caller = watch(pool.acquire());
    await pass(10);
    expect(caller.value?.connection.id).toBe(0);
    expect(pool.stats()).toMatchObject({ destroying: 1, created: 2 });
    caller.value?.release();
  });

  test.each(['validate', 'reset'] as const)(
    'after a failed %s does not hold up the caller: one is opened',
    async (how) => {
      world.peer.destroyDelay = 1_000;
      const check = () => in5ms(false).then(() => (how === 'reset' ? Promise.reject(new Error('bad')) : false));
      const pool = world.makePool({ max: 10, validateAfterIdle: 0, [how]: check });
      (await pool.acquire()).release();
      const caller = watch(pool.acquire());
      await pass(5);
      expect(caller.value?.connection.id).toBe(1);
      expect(pool.stats()).toMatchObject({ destroying: 1 });
      caller.value?.release();
    },
  );

  test('of its loss while it is validated does not hold up the caller', async () => {
    world.peer.destroyDelay = 1_000;
    const pool = world.makePool({ max: 10, validateAfterIdle: 0, validate: () => new Promise(() => {}) });
    await pool.use(() => {});
    await pass(5_000);
    const caller = watch(pool.acquire());
    world.peer.connections[0]?.lost();
    await pass(10);
    expect(caller.value?.connection.id).toBe(1);
    caller.value?.release();
  });

  test('leaves no gap in min', async () => {
    world.peer.destroyDelay = 1_000;
    const pool = world.makePool({ min: 2, max: 10 });
    for (const lease of await take(pool, 2)) lease.release();
    await pass(5_000);
    for (const { lost } of world.peer.connections.slice(0, 2)) lost();
    await pass();
    expect(pool.stats()).toMatchObject({ destroying: 2, idle: 2, createErrors: 0 });
  });

  test('leaves no gap in min when it is lost or discarded while others have leases of it', async () => {
    const pool = world.makePool({ min: 1, max: 3, maxLeasesPerConnection: 2 });
    const [a, b] = await take(pool, 2);
    a?.discard();
    await pass();
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 1 });
    const [c, d] = await take(pool, 2);
    c?.connection.lost();
    await pass(10);
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 2 });
    for (const lease of [b, c, d]) lease?.release();
  });
});

describe('connections that are evicted together', () => {
  test.each(['evictAll', 'evictIdle'] as const)(
    'with %s() are all out before the first is destroyed, which asks for another',
    async (how) => {
      const next: ReturnType<typeof watch>[] = [];
      const pool = world.makePool({
        max: 4,
        destroy: (connection) => {
          if (next.length === 0) next.push(watch(pool.use(({ id }) => id)));
          return world.peer.callbacks.destroy(connection);
        },
      });
      for (const lease of await take(pool, 3)) lease.release();
      pool[how]();
      await pass(10);
      expect(next).toMatchObject([{ value: 3 }]);
    },
  );

  test('are not lent to one whose connection was being validated', async () => {
    const pool = world.makePool({ max: 4, order: 'fifo', validateAfterIdle: 100, validate: () => in5ms(true) });
    const [a, b] = await take(pool, 2);
    a?.release();
    await pass(200);
    b?.release();
    const caller = watch(pool.acquire());
    expect(pool.stats()).toMatchObject({ checking: 1, idle: 1, waiting: 1 });
    expect(pool.evictAll()).toBe(2);
    await pass(10);
    expect(caller.value?.connection.id).toBe(2);
    caller.value?.release();
  });
});

test('a destroy that enlarges the pool while it is made smaller has the last word', async () => {
  const pool = world.makePool({
    max: 4,
    destroy: (connection) => {
      if (pool.stats().max === 1) pool.resize({ max: 4 });
      return world.peer.callbacks.destroy(connection);
    },
  });
  await pool.use(() => {});
  world.peer.createDelay = 10;
  pool.resize({ min: 3 });
  expect(pool.stats()).toMatchObject({ idle: 1, creating: 2 });
  pool.resize({ min: 0, max: 1 });
  await pass(10);
  expect(pool.stats()).toMatchObject({ max: 4, created: 3, destroyed: 1 });
});
