import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchSeries } from '../src/batch-series.ts';

function meansOf(values: readonly number[]): number[] {
  const series = new BatchSeries();
  for (const value of values) series.record(value);
  return series.means();
}

test('the first values are batches of one', () => {
  expect(meansOf([])).toEqual([]);
  expect(meansOf([3, 1, 2])).toEqual([3, 1, 2]);
});

test('however many values there are, fewer than 64 equal batches tell of them in order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 2000 }), (values) => {
      const means = meansOf(values);
      let size = 1;
      while (Math.floor(values.length / size) >= 64) size *= 2;
      const expected = Array.from({ length: Math.floor(values.length / size) }, (_, i) => {
        return values.slice(i * size, (i + 1) * size).reduce((sum, value) => sum + value, 0) / size;
      });
      expect(means).toEqual(expected);
      if (values.length >= 64) expect(means.length).toBeGreaterThanOrEqual(32);
    }),
  );
});
