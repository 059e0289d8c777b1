import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Histogram } from '../src/index.ts';

const nearestRank = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
const recorded = fc.oneof(
  fc.double({ min: 2 ** -30, max: 2 ** 50, noNaN: true }),
  fc.integer({ min: 0, max: 5_000 }),
  fc.constantFrom(0, 1e-12, 1, 2, 4, 1023.999, 1024, 2 ** 40),
);
const filled = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
};

describe('Histogram', () => {
  test('is honest while empty', () => {
    const empty = new Histogram();
    expect([empty.count, empty.sum, empty.min, empty.max, empty.mean, empty.quantile(0.5)]).toEqual([
      0,
      0,
      NaN,
      NaN,
      NaN,
      NaN,
    ]);
  });

  test('keeps count, sum, min, max and mean exactly', () => {
    const histogram = filled([3, 1, 2]);
    histogram.record(10, 4);
    expect(histogram).toMatchObject({ count: 7, sum: 46, min: 1, max: 10 });
    expect(histogram.mean).toBeCloseTo(46 / 7, 12);
  });

  test('every quantile is within 0.4 % of the nearest rank', () => {
    fc.assert(
      fc.property(
        fc.array(recorded, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const exact = nearestRank(
            [...values].sort((a, b) => a - b),
            q,
          );
          const error = Math.abs(filled(values).quantile(q) - exact);
          expect(error).toBeLessThanOrEqual(Math.max(exact / 256, 2 ** -30));
        },
      ),
    );
  });

  test('merging equals recording everything in one', () => {
    fc.assert(
      fc.property(fc.array(recorded), fc.array(recorded), (left, right) => {
        const merged = filled(left);
        const other = filled(right);
        merged.merge(other);
        const { sum, ...rest } = merged.toJSON();
        const { sum: total, ...all } = filled([...left, ...right]).toJSON();
        expect(rest).toEqual(all);
        expect(sum).toBeCloseTo(total, -Math.log10(Math.max(1, total)) + 9);
        expect(other.toJSON()).toEqual(filled(right).toJSON());
      }),
    );
  });

  test('merging with itself doubles it', () => {
    const histogram = filled([1, 1.001, 700, 0]);
    histogram.merge(histogram);
    expect(histogram.toJSON()).toEqual(filled([1, 1, 1.001, 1.001, 700, 700, 0, 0]).toJSON());
  });

  test('travels as JSON and comes back the same', () => {
    fc.assert(
      fc.property(fc.array(recorded), (values) => {
        const histogram = filled(values);
        const revived = Histogram.fromJSON(JSON.parse(JSON.stringify(histogram)));
        expect(revived.toJSON()).toEqual(histogram.toJSON());
        expect(revived.quantile(0.5)).toBe(histogram.quantile(0.5));
        expect(revived.min).toBe(histogram.min);
      }),
    );
  });

  test('counts what lies outside its range in the end buckets', () => {
    const histogram = filled([1e300, Number.MIN_VALUE, 2 ** 51]);
    expect(histogram).toMatchObject({ count: 3, max: 1e300, min: Number.MIN_VALUE });
    expect(histogram.quantile(0.5)).toBeGreaterThan(2 ** 49);
    expect(histogram.toJSON().zeros).toBe(1);
  });

  test('forgets everything on reset', () => {
    const histogram = filled([1, 2, 3]);
    histogram.reset();
    expect(histogram.toJSON()).toEqual(new Histogram().toJSON());
    histogram.record(5);
    expect(histogram.quantile(1)).toBe(5);
  });

  test.each([-1, NaN, Infinity, -Infinity])('refuses %d and stays as it was', (value) => {
    const histogram = filled([1]);
    expect(() => histogram.record(value)).toThrow(RangeError);
    expect(() => histogram.record(1, value)).toThrow(RangeError);
    expect(() => histogram.quantile(value)).toThrow(RangeError);
    expect(histogram.count).toBe(1);
  });
});
