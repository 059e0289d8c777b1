import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Limiter, type LimiterLease, PoolQueueFullError } from '../src/index.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when told. */
function gate(): { fn: () => Promise<string>; open: () => void; started: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<string>();
  let started = false;
  const fn = (): Promise<string> => {
    started = true;
    return promise;
  };
  return { fn, open: () => resolve('done'), started: () => started };
}

test('runs at most so many at once, the others in the order they came', async () => {
  const limiter = new Limiter({ maxConcurrent: 2 });
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      limiter.run(async () => {
        order.push(index);
        most = Math.max(most, ++running);
        await tick();
        running--;
        return index * 2;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(results[7]).toBe(14);
  expect(limiter.stats()).toMatchObject({ running: 0, inUse: 0, waiting: 0, completed: 20 });
});

test('a function that throws, at once or later, gives its turn back', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const thrown = limiter.run(() => {
    throw null;
  });
  const rejected = limiter.run(() => Promise.reject(new RangeError('no')));
  await expect(thrown).rejects.toBe(null);
  await expect(rejected).rejects.toThrow(RangeError);
  expect(await limiter.run(() => 'fine')).toBe('fine');
});

test('a function sees the async context of its caller, not of whoever made room', async () => {
  const storage = new AsyncLocalStorage<number>();
  const limiter = new Limiter({ maxConcurrent: 1 });
  const seen = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      storage.run(index, () =>
        limiter.run(async () => {
          const before = storage.getStore();
          await tick();
          return [before, storage.getStore()];
        }),
      ),
    ),
  );
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => [index, index]));
});

test('higher priorities go first, unless the others have waited a second per point', async () => {
  const clock = new ManualClock();
  const limiter = new Limiter({ maxConcurrent: 1, clock });
  const order: string[] = [];
  const held = await limiter.acquire();
  const wait = (label: string, priority: number): void => {
    void limiter.run(() => order.push(label), { priority });
  };
  wait('old', 0);
  clock.advance(1_500);
  wait('low', 0);
  wait('urgent', 1);
  wait('most urgent', 2);
  wait('also urgent', 1);
  held.release();
  await tick();
  expect(order).toEqual(['most urgent', 'old', 'urgent', 'also urgent', 'low']);
});

test('weights add up, and nothing overtakes a heavy one', async () => {
  const limiter = new Limiter({ maxConcurrent: 4 });
  const first = await limiter.acquire({ weight: 3 });
  const heavy = gate();
  const light = gate();
  const done = [limiter.run(heavy.fn, { weight: 4 }), limiter.run(light.fn)];
  await tick();
  expect(light.started()).toBe(false);
  first.release();
  await tick();
  expect([heavy.started(), light.started()]).toEqual([true, false]);
  heavy.open();
  light.open();
  await Promise.all(done);
});

test('what is heavier than the limit is refused, not starved', async () => {
  const limiter = new Limiter({ maxConcurrent: 2 });
  await expect(limiter.run(() => 1, { weight: 3 })).rejects.toThrow('`weight` must be at most the limit of 2, got 3');
});

test('a smaller limit cancels nothing, a larger one lets waiters run at once', async () => {
  const limiter = new Limiter({ maxConcurrent: 3 });
  const leases = await Promise.all([limiter.acquire(), limiter.acquire(), limiter.acquire()]);
  const heavy = limiter.acquire({ weight: 3 });
  limiter.maxConcurrent = 1;
  expect(limiter.stats()).toMatchObject({ running: 3, inUse: 3, waiting: 1 });
  for (const lease of leases) lease.release();
  // Heavier than all of the limit by now: it runs alone.
  const alone = await heavy;
  const next = [limiter.acquire(), limiter.acquire()];
  expect(limiter.stats()).toMatchObject({ running: 1, waiting: 2 });
  limiter.maxConcurrent = 5;
  expect(limiter.stats()).toMatchObject({ running: 3, waiting: 0 });
  for (const lease of [alone, ...(await Promise.all(next))]) lease.release();
  expect(limiter.stats().inUse).toBe(0);
});

test('a full queue refuses', async () => {
  const limiter = new Limiter({ maxConcurrent: 1, maxQueue: 1, name: 'api' });
  const work = gate();
  const running = limiter.run(work.fn);
  const waiting = limiter.run(() => 'next');
  const refused = limiter.run(() => 'never');
  await expect(refused).rejects.toThrow(PoolQueueFullError);
  await expect(refused).rejects.toMatchObject({ code: 'PERF_POOL_QUEUE_FULL', pending: 1, limit: 1 });
  await expect(refused).rejects.toThrow("limiter 'api' is full: 1 waiting, limit 1");
  work.open();
  expect(await Promise.all([running, waiting])).toEqual(['done', 'next']);
});

test('an aborted waiter leaves at once with the reason, makes room in the queue, and leaves no listener', async () => {
  const limiter = new Limiter({ maxConcurrent: 1, maxQueue: 1 });
  const lease = await limiter.acquire();
  const controller = new AbortController();
  const reason = { any: 'thing' };
  const waiting = limiter.acquire({ signal: controller.signal });
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(limiter.acquire({ signal: controller.signal })).rejects.toBe(reason);
  const { signal } = new AbortController();
  const next = limiter.acquire({ signal });
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  lease.release();
  (await next).release();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(limiter.stats()).toMatchObject({ aborted: 1, running: 0, waiting: 0 });
});

test('an abort of a heavy waiter lets those behind it run', async () => {
  const limiter = new Limiter({ maxConcurrent: 2 });
  await limiter.acquire();
  const controller = new AbortController();
  const heavy = limiter.acquire({ weight: 2, signal: controller.signal });
  const light = limiter.acquire();
  controller.abort(new Error('enough'));
  await expect(heavy).rejects.toThrow('enough');
  expect((await light).weight).toBe(1);
});

test('all waiters of a signal leave before anybody takes their place', async () => {
  const limiter = new Limiter({ maxConcurrent: 2 });
  await limiter.acquire();
  const controller = new AbortController();
  const { signal } = controller;
  const heavy = limiter.acquire({ weight: 2, signal });
  const light = limiter.acquire({ signal });
  const other = limiter.acquire();
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  controller.abort('all');
  await expect(heavy).rejects.toBe('all');
  await expect(light).rejects.toBe('all');
  expect((await other).weight).toBe(1);
  expect(limiter.stats()).toMatchObject({ running: 2, waiting: 0, aborted: 2 });
});

test('an abort between the turn and the start gives the turn back and does not run the function', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const lease = await limiter.acquire();
  const controller = new AbortController();
  let ran = false;
  const run = limiter.run(() => (ran = true), { signal: controller.signal });
  await tick();
  lease.release();
  controller.abort('too late');
  await expect(run).rejects.toBe('too late');
  expect(ran).toBe(false);
  expect(limiter.stats()).toMatchObject({ running: 0, inUse: 0 });
});

test('a lease released twice counts once; using releases it', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const kept: LimiterLease[] = [];
  {
    using lease = await limiter.acquire();
    kept.push(lease);
    lease.release();
  }
  const second = await limiter.acquire();
  kept[0]?.release();
  expect(limiter.stats()).toMatchObject({ running: 1, inUse: 1, completed: 1 });
  second.release();
});

test('wrap makes a limited function', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const add = limiter.wrap(async (one: number, other: number) => one + other);
  expect(await Promise.all([add(1, 2), add(3, 4)])).toEqual([3, 7]);
});

test('close lets those that wait finish and refuses new ones', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const work = gate();
  const running = limiter.run(work.fn);
  const waiting = limiter.run(() => 'waited');
  const closed = limiter.close();
  await expect(limiter.run(() => 1)).rejects.toMatchObject({ name: 'ClosedError', code: 'PERF_POOL_CLOSED' });
  work.open();
  expect(await Promise.all([running, waiting])).toEqual(['done', 'waited']);
  await closed;
  await limiter.close();
});

test('a forced close refuses those that wait, too', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const work = gate();
  const running = limiter.run(work.fn);
  const waiting = limiter.run(() => 'never');
  const closed = limiter.close({ force: true });
  await expect(waiting).rejects.toMatchObject({ code: 'PERF_POOL_CLOSED' });
  work.open();
  expect(await running).toBe('done');
  await closed;
});

test('a hundred thousand jobs that end at once neither overflow the stack nor run together', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  let count = 0;
  await Promise.all(Array.from({ length: 100_000 }, () => limiter.run(() => count++)));
  expect(count).toBe(100_000);
});

test.each<[string, Record<string, unknown>]>([
  ['`maxConcurrent` must be a positive integer, got 0', { maxConcurrent: 0 }],
  ['`maxQueue` must be a non-negative integer, got -1', { maxConcurrent: 1, maxQueue: -1 }],
  ['`clock` must be an object with a method `now`, got 5', { maxConcurrent: 1, clock: 5 }],
  ['Limiter has no option `concurrency`', { concurrency: 3 }],
])('refuses a bad option: %s', (message, options) => {
  expect(() => new Limiter(options as never)).toThrow(message);
});

test('under any mix of calls: never above the limit, nothing lost, no turn leaked', async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('acquire' as const),
        weight: fc.integer({ min: 1, max: 3 }),
        priority: fc.nat(2),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), at: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), at: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), to: fc.integer({ min: 1, max: 5 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
      const limiter = new Limiter({ maxConcurrent: 3, maxQueue: 10 });
      const held: LimiterLease[] = [];
      const controllers: AbortController[] = [];
      let submitted = 0;
      let granted = 0;
      let refused = 0;
      for (const each of steps) {
        if (each.do === 'acquire') {
          const controller = new AbortController();
          controllers.push(controller);
          submitted++;
          limiter.acquire({ weight: each.weight, priority: each.priority, signal: controller.signal }).then(
            (lease) => {
              granted++;
              held.push(lease);
            },
            () => refused++,
          );
        } else if (each.do === 'release') held.splice(each.at % Math.max(1, held.length), 1)[0]?.release();
        else if (each.do === 'abort') controllers[each.at % Math.max(1, controllers.length)]?.abort();
        else {
          const before = limiter.stats();
          limiter.maxConcurrent = each.to;
          const after = limiter.stats();
          // What was held stays held; more may have been granted, within the new limit.
          if (after.running > before.running && before.running > 0) expect(after.inUse).toBeLessThanOrEqual(each.to);
        }
        await tick();
        const { inUse, running, waiting } = limiter.stats();
        expect(running).toBe(held.length);
        expect(inUse).toBe(held.reduce((sum, { weight }) => sum + weight, 0));
        expect(waiting).toBeLessThanOrEqual(10);
        expect(granted + refused + waiting).toBe(submitted);
        if (waiting > 0) expect(running).toBeGreaterThan(0);
      }
      for (let lease = held.pop(); lease; lease = held.pop()) {
        lease.release();
        await tick();
      }
      expect(limiter.stats()).toMatchObject({ running: 0, inUse: 0, waiting: 0 });
      expect(granted + refused).toBe(submitted);
    }),
    { numRuns: 100 },
  );
});

test('with room, a function runs at once; a turn never runs one inside the call that gave it', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  let ran = 0;
  const first = limiter.run(() => ++ran);
  expect(ran).toBe(1);
  await first;
  const lease = await limiter.acquire();
  const run = limiter.run(() => ++ran);
  lease.release();
  expect(ran).toBe(1);
  expect(await run).toBe(2);
});

test('a function may call its own limiter, when there is room', async () => {
  const limiter = new Limiter({ maxConcurrent: 2 });
  expect(await limiter.run(async () => (await limiter.run(() => 'inner')) + ' and outer')).toBe('inner and outer');
  // Submitted from inside of the only turn, it waits for the next one.
  const single = new Limiter({ maxConcurrent: 1 });
  let inner: Promise<string> | undefined;
  await single.run(() => {
    inner = single.run(() => 'after');
  });
  expect(await inner).toBe('after');
});

test('what a heavy one leaves goes to as many as fit, in order', async () => {
  const limiter = new Limiter({ maxConcurrent: 4 });
  const work = [gate(), gate(), gate(), gate()];
  const hold = gate();
  const done = [limiter.run(hold.fn, { weight: 2 }), limiter.run(gate().fn)];
  const waiting = work.map(({ fn }, index) => limiter.run(fn, { weight: index === 0 ? 2 : 1 }));
  await tick();
  expect(work.map(({ started }) => started())).toEqual([false, false, false, false]);
  hold.open();
  await done[0];
  await tick();
  // 1 still runs, the heavy one got its 2, and a light one the 1 that is left.
  expect(work.map(({ started }) => started())).toEqual([true, true, false, false]);
  for (const { open } of work) open();
  expect(await Promise.all(waiting)).toEqual(['done', 'done', 'done', 'done']);
});

test('a hundred thousand aborted waiters are gone at once, whatever runs', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const lease = await limiter.acquire();
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = Array.from({ length: 100_000 }, (_, index) =>
    limiter.run(() => 'never', { signal, priority: index % 5 }),
  );
  const last = limiter.run(() => 'last');
  controller.abort('all of you');
  expect(limiter.stats()).toMatchObject({ waiting: 1, aborted: 100_000 });
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === 'all of you')).toBe(true);
  lease.release();
  expect(await last).toBe('last');
});

test('close refuses options it does not know', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  await expect(limiter.close({ forse: true } as object)).rejects.toThrow('close has no option `forse`');
  expect(limiter.closed).toBe(false);
});

test('refuses bad options of a call before it waits', async () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  const { fn, open } = gate();
  const holding = limiter.run(fn);
  for (const signal of [null, {}] as AbortSignal[]) {
    await expect(limiter.run(() => 1, { signal })).rejects.toThrow('`signal` must be an AbortSignal');
  }
  await expect(limiter.run(() => 1, { wieght: 2 } as object)).rejects.toThrow('has no option `wieght`');
  await expect(limiter.acquire(null as never)).rejects.toThrow('takes an options object, got null');
  expect(limiter.stats().waiting).toBe(0);
  open();
  await holding;
});
