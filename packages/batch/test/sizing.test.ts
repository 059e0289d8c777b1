import { expect, test } from 'vitest';
import { BatchTimeoutError } from '../src/errors.ts';
import { sizingFor } from '../src/sizing.ts';

const HOUR = 3_600_000;

test('without options the size is sought; with maxSize it is fixed; with both it is sought up to that', () => {
  const full = (sizing: ReturnType<typeof sizingFor>): number => {
    for (let round = 0; round < 20; round++) {
      const limit = sizing.limitFor('g', 1e9, 1e9);
      sizing.record('g', { limit, size: limit, latency: HOUR, outcome: 'answered' });
    }
    return sizing.sizeOf('g');
  };
  expect(full(sizingFor({}, 4))).toBe(10_000);
  expect(full(sizingFor({ adaptive: {} }, 4))).toBe(10_000);
  expect(full(sizingFor({ maxSize: 70 }, 4))).toBe(70);
  expect(full(sizingFor({ maxSize: 70, adaptive: true }, 4))).toBe(70);
  expect(full(sizingFor({ maxSize: 1000, adaptive: true }, 4))).toBe(1000);
  expect(full(sizingFor({ maxSize: Infinity, adaptive: true }, 4))).toBe(10_000);
  expect(full(sizingFor({ maxSize: Infinity }, 4))).toBe(Infinity);
  expect(full(sizingFor({ adaptive: false }, 4))).toBe(100);
  expect(full(sizingFor({ adaptive: { targetLatency: 10 } }, 4))).toBe(1);
});

test('each group has a size of its own', () => {
  const sizing = sizingFor({ adaptive: { targetLatency: 10 } }, 4);
  const limit = sizing.limitFor('slow', 100, 100);
  sizing.limitFor('fast', 100, 100);
  sizing.record('slow', { limit, size: limit, latency: 100, outcome: 'answered' });
  sizing.record('fast', { limit, size: limit, latency: 1, outcome: 'answered' });
  expect(sizing.limitFor('slow', 100, 100)).toBeLessThan(limit);
  expect(sizing.limitFor('fast', 100, 100)).toBeGreaterThan(limit);
  expect(sizing.largest).toBe(sizing.limitFor('fast', 100, 100));
});

test('however many groups there are, the sizes of a thousand are kept', () => {
  const sizing = sizingFor({ adaptive: { targetLatency: 10 } }, 4);
  const first = sizing.limitFor('first', 100, 100);
  sizing.record('first', { limit: first, size: first, latency: 100, outcome: 'answered' });
  expect(sizing.limitFor('first', 100, 100)).toBeLessThan(first);
  for (let group = 0; group < 1000; group++) sizing.limitFor(`${group}`, 100, 100);
  expect(sizing.limitFor('first', 100, 100)).toBe(first);
});

test('what the errors of a batch say about its size', () => {
  const sizing = sizingFor({ adaptive: true }, 4);
  const withStatus = (status: number): Error => Object.assign(new Error(), { status });
  expect(sizing.judge([], false)).toBe('answered');
  expect(sizing.judge([new Error('broken')], true)).toBe('failed');
  expect(sizing.judge([withStatus(413)], true)).toBe('tooLarge');
  expect(sizing.judge([new BatchTimeoutError({ group: 'g', size: 1, attempt: 1 }, 5)], true)).toBe('tooLarge');
  // One operation that is too large by itself says nothing about batches.
  expect(sizing.judge([withStatus(413)], false)).toBe('answered');
  expect(sizing.judge([new Error('other'), withStatus(429)], false)).toBe('overloaded');
  expect(sizing.judge([Object.assign(new Error(), { name: 'ThrottlingException' })], true)).toBe('overloaded');
  expect(sizing.judge([undefined, null, 'text'], false)).toBe('answered');
  const own = sizingFor({ adaptive: { isOverloaded: (error: unknown) => error === 'slow down' } }, 4);
  expect([own.judge(['slow down'], false), own.judge([withStatus(429)], true)]).toEqual(['overloaded', 'failed']);
  const throwing = sizingFor(
    {
      adaptive: {
        isOverloaded: () => {
          throw new Error('cannot tell');
        },
      },
    },
    4,
  );
  expect(throwing.judge([1], true)).toBe('failed');
});
