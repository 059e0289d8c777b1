import { AsyncLocalStorage } from 'node:async_hooks';
import { TimeoutError } from '@perf/core';
import { ManualClock } from '@perf/testkit';
import { expect, test } from 'vitest';
import { AdaptiveLimiter, LimitExceededError } from '../src/index.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waves of calls, each as many as allowed, that all take `latency(inFlight)`. Returns the highest of the last limits: now and then it is halved to probe. */
async function waves(
  limiter: AdaptiveLimiter,
  clock: ManualClock,
  options: { count: number; latency: (inFlight: number) => number; fail?: () => Error },
): Promise<number> {
  const limits: number[] = [];
  for (let wave = 0; wave < options.count; wave++) {
    const open = Promise.withResolvers<void>();
    const calls = Array.from({ length: limiter.limit }, () =>
      limiter.run(async () => {
        await open.promise;
        if (options.fail !== undefined) throw options.fail();
      }),
    );
    clock.advance(options.latency(calls.length));
    open.resolve();
    await Promise.allSettled(calls);
    limits.push(limiter.limit);
  }
  return Math.max(...limits.slice(-5));
}

test.each([NaN, Infinity, -1])('a clock that jumps by %d once does no harm', async (jump) => {
  let now = 0;
  const limiter = new AdaptiveLimiter({ clock: { now: () => now }, maxLimit: 30 });
  await limiter.run(async () => void (now += jump));
  now = 0;
  for (let wave = 0; wave < 20; wave++) {
    await Promise.all(Array.from({ length: limiter.limit }, () => limiter.run(() => {})));
  }
  expect(limiter.limit).toBeGreaterThan(20);
  expect(limiter.stats().baseline).toBe(0);
});

test('grows while the other side keeps up, and shrinks when it queues', async () => {
  const clock = new ManualClock();
  const limiter = new AdaptiveLimiter({ clock });
  expect(await waves(limiter, clock, { count: 150, latency: () => 10 })).toBeGreaterThan(60);
  const shrunk = await waves(limiter, clock, { count: 300, latency: (inFlight) => 10 * Math.max(1, inFlight / 20) });
  expect(shrunk).toBeLessThan(45);
  expect(shrunk).toBeGreaterThan(18);
  expect(limiter.stats().baseline).toBeCloseTo(10, 0);
});

test('refuses what is above the limit at once, with a hint when to come back', async () => {
  const clock = new ManualClock();
  const limiter = new AdaptiveLimiter({ initialLimit: 2, clock, name: 'api' });
  const open = Promise.withResolvers<void>();
  const running = [limiter.run(() => open.promise), limiter.run(() => open.promise)];
  const shed = limiter.run(() => expect.fail('it ran'));
  await expect(shed).rejects.toThrow(LimitExceededError);
  await expect(shed).rejects.toMatchObject({ code: 'PERF_POOL_SHED', limit: 2, retryAfter: 100 });
  open.resolve();
  await Promise.all(running);
  expect(limiter.stats()).toMatchObject({ running: 0, completed: 2, shed: 1 });
});

test('the hint is what a call takes', async () => {
  const clock = new ManualClock();
  const limiter = new AdaptiveLimiter({ initialLimit: 10, maxLimit: 10, clock });
  await waves(limiter, clock, { count: 3, latency: () => 33.3 });
  const open = Promise.withResolvers<void>();
  const running = Array.from({ length: 10 }, () => limiter.run(() => open.promise));
  await expect(limiter.run(() => 0)).rejects.toMatchObject({ retryAfter: 34 });
  open.resolve();
  await Promise.all(running);
});

test('timeouts lower the limit; other errors say nothing', async () => {
  const clock = new ManualClock();
  const limiter = new AdaptiveLimiter({ clock });
  await waves(limiter, clock, { count: 5, latency: () => 10, fail: () => new Error('not found') });
  expect(limiter.limit).toBe(20);
  await waves(limiter, clock, { count: 3, latency: () => 10, fail: () => new TimeoutError('slow', { timeout: 10 }) });
  expect(limiter.limit).toBeLessThan(10);
  expect(limiter.stats().overloaded).toBeGreaterThan(20);
});

test('what overload is can be told, and a classifier that throws hurts nobody', async () => {
  const clock = new ManualClock();
  const isOverload = (error: unknown): boolean => {
    if ((error as Error).message === 'odd') throw new Error('classifier');
    return (error as Error).message === '429';
  };
  const limiter = new AdaptiveLimiter({ clock, isOverload });
  await expect(limiter.run(() => Promise.reject(new Error('odd')))).rejects.toThrow('odd');
  await waves(limiter, clock, { count: 2, latency: () => 10, fail: () => new Error('429') });
  expect(limiter.limit).toBeLessThan(12);
});

test('a function that throws at once gives its place back', async () => {
  const limiter = new AdaptiveLimiter({ initialLimit: 1 });
  const bad = limiter.wrap((): number => {
    throw new RangeError('no');
  });
  await expect(bad()).rejects.toThrow(RangeError);
  await expect(bad()).rejects.toThrow(RangeError);
  expect(limiter.stats().running).toBe(0);
});

test('an aborted call is not started, and one that aborts while it runs is not counted', async () => {
  const clock = new ManualClock();
  const limiter = new AdaptiveLimiter({ initialLimit: 20, clock });
  await expect(limiter.run(() => expect.fail('it ran'), { signal: AbortSignal.abort('no') })).rejects.toBe('no');
  for (let call = 0; call < 30; call++) {
    const controller = new AbortController();
    const run = limiter.run(() => tick(), { signal: controller.signal });
    controller.abort();
    await run;
  }
  expect(limiter.stats()).toMatchObject({ completed: 30, baseline: NaN });
});

test('a function runs in the async context of its caller', async () => {
  const storage = new AsyncLocalStorage<number>();
  const limiter = new AdaptiveLimiter();
  expect(await storage.run(7, () => limiter.run(() => storage.getStore()))).toBe(7);
});

test('close waits for what runs and refuses the rest', async () => {
  const limiter = new AdaptiveLimiter();
  const open = Promise.withResolvers<string>();
  const running = limiter.run(() => open.promise);
  const closed = limiter.close();
  await expect(limiter.run(() => 1)).rejects.toMatchObject({ code: 'PERF_POOL_CLOSED' });
  open.resolve('done');
  expect(await running).toBe('done');
  await closed;
});

test.each<[string, Record<string, unknown>]>([
  ['`maxLimit` must be a number from 5', { minLimit: 5, maxLimit: 4 }],
  ['`initialLimit` must be a number from 1 to 10', { maxLimit: 10, initialLimit: 11 }],
  ['`tolerance` must be a number from 1 to 10, got 0.5', { tolerance: 0.5 }],
  ['`clock` must be an object with a method `now`, got null', { clock: null }],
  ['AdaptiveLimiter has no option `limit`', { limit: 4 }],
])('refuses a bad option: %s', (message, options) => {
  expect(() => new AdaptiveLimiter(options)).toThrow(message);
});

test('refuses bad options of a call before it starts', async () => {
  const limiter = new AdaptiveLimiter();
  await expect(limiter.run(() => 1, { signal: null as never })).rejects.toThrow('`signal` must be an AbortSignal');
  await expect(limiter.run(() => 1, { priority: 1 } as object)).rejects.toThrow('has no option `priority`');
  expect(limiter.stats()).toMatchObject({ running: 0, completed: 0 });
});
