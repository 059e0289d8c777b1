import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { trendOf } from '../src/trend.ts';

const series = (values: readonly number[]) => values.map((value, index) => ({ at: index * 10, value }));

describe('the trend', () => {
  test('of a straight line is its slope, and certain', () => {
    const { slope, significance } = trendOf(series(Array.from({ length: 20 }, (_, index) => 5 + index * 30)));
    expect(slope).toBe(3);
    expect(significance).toBeGreaterThan(5);
  });

  test('of a constant is none', () => {
    expect(trendOf(series([4, 4, 4, 4, 4]))).toEqual({ slope: 0, significance: 0 });
  });

  test('is not moved by a few outliers', () => {
    const values = Array.from({ length: 20 }, (_, index) => index);
    values[3] = 1e9;
    values[12] = -1e9;
    expect(trendOf(series(values)).slope).toBeCloseTo(0.1, 3);
  });

  test('of nothing, or of one moment, is not known', () => {
    expect(trendOf([])).toEqual({ slope: NaN, significance: 0 });
    expect(trendOf([{ at: 1, value: 1 }])).toEqual({ slope: NaN, significance: 0 });
    expect(
      trendOf([
        { at: 1, value: 1 },
        { at: 1, value: 2 },
      ]).slope,
    ).toBeNaN();
  });

  test('turns with the series', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 30 }), (values) => {
        const up = trendOf(series(values));
        const down = trendOf(series(values.map((value) => -value)));
        expect(down.slope + up.slope).toBeCloseTo(0, 9);
        expect(down.significance + up.significance).toBeCloseTo(0, 9);
      }),
    );
  });

  test('has the significance of Mann and Kendall`s test', () => {
    // 45 pairs, 3 of them falling: a score of 39, with a variance of n (n - 1) (2n + 5) / 18 = 125.
    const { significance } = trendOf(series([10, 15, 14, 20, 18, 25, 27, 26, 30, 33]));
    expect(significance).toBeCloseTo(38 / Math.sqrt(125), 9);
  });
});
