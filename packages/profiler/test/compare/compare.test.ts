import { ManualClock, seededRandom } from '@perf/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Comparison, Profiler, compare, compareReports } from '../../src/index.ts';
import { tQuantile } from '../../src/compare/student-t.ts';

/** Durations around `mean` in which each depends on the one before by `correlation`. */
function series(random: () => number, { mean = 10, spread = 1, correlation = 0, count = 3000 }): number[] {
  let last = 0;
  const innovation = Math.sqrt(1 - correlation ** 2);
  return Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    last = correlation * last + innovation * normal;
    return Math.max(0, mean + spread * last);
  });
}

const random = seededRandom(1);

describe('two series', () => {
  test('of which one is clearly faster', () => {
    const result = compare(series(random, {}), series(random, { mean: 8 }));
    expect(result.verdict).toBe('faster');
    expect(result.effect).toBeCloseTo(-0.2, 1);
    expect(result.interval[0]).toBeLessThan(result.effect);
    expect(result.interval[1]).toBeGreaterThan(result.effect);
    expect(result.before).toMatchObject({ samples: 3000, batches: 30 });
  });

  test('of which one is clearly slower', () => {
    expect(compare(series(random, {}), series(random, { mean: 12 })).verdict).toBe('slower');
  });

  test('that hardly differ are the same, however certain the difference is', () => {
    const result = compare(series(random, { count: 50_000 }), series(random, { count: 50_000, mean: 10.2 }));
    expect(result.interval[0]).toBeGreaterThan(0);
    expect(result.verdict).toBe('same');
  });

  test('too noisy to tell are unclear', () => {
    expect(compare(series(random, { spread: 9, count: 60 }), series(random, { spread: 9, count: 60 })).verdict).toBe(
      'unclear',
    );
  });

  test('too short to tell are unclear', () => {
    expect(compare([1, 1, 1, 1, 1], [9, 9, 9, 9, 9])).toMatchObject({
      verdict: 'unclear',
      effect: 8,
      interval: [-Infinity, Infinity],
    });
    expect(compare([], []).verdict).toBe('unclear');
  });

  test('without any noise are decided by their values', () => {
    const ten = Array.from({ length: 10 }, () => 10);
    expect(compare(ten, ten)).toMatchObject({ verdict: 'same', effect: 0, interval: [0, 0] });
    expect(
      compare(
        ten,
        ten.map(() => 5),
      ).verdict,
    ).toBe('faster');
    const none = ten.map(() => 0);
    expect(compare(none, none).verdict).toBe('same');
    expect(compare(none, ten).verdict).toBe('unclear');
    expect(compare(ten, none).verdict).toBe('faster');
  });

  test('of the same program differ in few of 300 comparisons, even when calls depend on one another', () => {
    for (const correlation of [0, 0.9]) {
      let wrong = 0;
      for (let i = 0; i < 300; i++) {
        const [a, b] = [series(random, { correlation }), series(random, { correlation })];
        const { interval } = compare(a, b, { minEffect: 0 });
        if (interval[0] > 0 || interval[1] < 0) wrong++;
      }
      // 15 are expected of a 95 % interval.
      expect(wrong).toBeLessThan(30);
    }
  });

  test('in the other order give the opposite verdict', () => {
    const opposite = { faster: 'slower', slower: 'faster', same: 'same', unclear: 'unclear' } as const;
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 20 }), fc.integer(), (mean, seed) => {
        const own = seededRandom(seed);
        const [a, b] = [series(own, { count: 300 }), series(own, { mean, count: 300 })];
        // Relative change depends on which side is divided by; without a threshold the verdicts are mirrored.
        const [there, back] = [compare(a, b, { minEffect: 0 }), compare(b, a, { minEffect: 0 })];
        expect(back.verdict).toBe(opposite[there.verdict]);
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    [[1, NaN], '`before[1]` must be a number from 0'],
    [[-1], '`before[0]` must be a number from 0'],
    ['12', '`before` must be an array of numbers'],
  ])('%o are refused', (values, message) => {
    expect(() => compare(values as never, [1])).toThrow(message);
  });

  test('with a bad option are refused', () => {
    expect(() => compare([1], [1], { minEffect: 2 })).toThrow('`minEffect` must be a number from 0 to 1, got 2');
    expect(() => compare([1], [1], { alpha: 1 } as never)).toThrow('compare has no option `alpha`');
  });
});

test('reports of two runs are compared function by function, largest change first', () => {
  const run = (times: Readonly<Record<string, number>>): ReturnType<Profiler['summary']> => {
    const clock = new ManualClock();
    const profiler = new Profiler({ clock });
    for (const [name, ms] of Object.entries(times)) {
      for (let i = 0; i < 100; i++) profiler.measure(name, () => clock.advance(ms));
    }
    return profiler.summary();
  };
  const results = compareReports(run({ a: 10, b: 10, gone: 1 }), run({ a: 10, b: 4, fresh: 1 }));
  expect(results.map(({ name, verdict }: Comparison & { name: string }) => [name, verdict])).toEqual([
    ['b', 'faster'],
    ['a', 'same'],
  ]);
});

test.each([
  [4, 2.776],
  [5, 2.571],
  [10, 2.228],
  [29, 2.045],
  [58, 2.002],
  [1e6, 1.96],
])("the quantile of Student's t with %d degrees of freedom is %d", (df, expected) => {
  expect(tQuantile(df)).toBeCloseTo(expected, 2);
});
