import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_RETRY_DELAY, retryDelay } from '../src/backoff.ts';
import { lifetimeFrom } from '../src/lifetime.ts';
import { createsToStart } from '../src/sizing.ts';

describe('the wait after a failure', () => {
  test.each([
    [1, 1, 10],
    [2, 1, 30],
    [4, 0.5, 135],
    [5, 1, 810],
    [6, 0, 750],
    [7, 0, 1_500],
    [10, 1, MAX_RETRY_DELAY],
    [5_000, 1, MAX_RETRY_DELAY],
    [3, 0, 0],
  ])('number %d, at chance %d, is %d ms', (failures, random, expected) => {
    expect(retryDelay(failures, random)).toBe(expected);
  });
});

test('a connection retires in the last fifth of its lifetime, never after it', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 1e9 }), (random, lifetime) => {
      const { retireAt, dieAt } = lifetimeFrom(1_000, lifetime, random);
      expect(dieAt).toBe(1_000 + lifetime);
      expect(retireAt).toBeLessThan(dieAt);
      expect(retireAt - 1_000).toBeGreaterThanOrEqual(lifetime * 0.77);
    }),
  );
});

describe('the number of creates to start', () => {
  const rest = { waiting: 0, onTheWay: 0, lasting: 0, size: 0, creating: 0, min: 0, max: 10, limit: 4 };

  test.each([
    ['nothing is wanted', {}, 0],
    ['one waits', { waiting: 1 }, 1],
    ['those who wait have one on the way each', { waiting: 2, onTheWay: 2, creating: 2, size: 2 }, 0],
    ['more wait than may be created at a time', { waiting: 9 }, 4],
    ['some are being created already', { waiting: 9, onTheWay: 3, creating: 3, size: 3 }, 1],
    ['dying connections take the room', { waiting: 5, size: 9 }, 1],
    ['the pool is full', { waiting: 5, size: 10 }, 0],
    ['min is not reached', { min: 3, lasting: 1, size: 1 }, 2],
    ['old connections are to be replaced', { min: 3, lasting: 1, size: 3 }, 2],
  ])('when %s', (_, demand, expected) => {
    expect(createsToStart({ ...rest, ...demand })).toBe(expected);
  });
});
