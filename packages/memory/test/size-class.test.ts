import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capacityFor } from '../src/size-class.ts';

test('a capacity holds the size, is at most a quarter larger, and is its own capacity', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 2 ** 30 }), (size) => {
      const capacity = capacityFor(size);
      expect(capacity).toBeGreaterThanOrEqual(size);
      expect(capacity).toBeLessThanOrEqual(Math.ceil(size * 1.25));
      expect(capacityFor(capacity)).toBe(capacity);
    }),
  );
});

test('powers of two are capacities, with three between each and the next', () => {
  expect([1024, 1025, 1281, 1537, 1793, 2048].map(capacityFor)).toEqual([1024, 1280, 1536, 1792, 2048, 2048]);
});
