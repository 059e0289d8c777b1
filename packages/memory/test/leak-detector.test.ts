import { ManualClock } from '@perf/testkit';
import { describe, expect, test } from 'vitest';
import { LeakDetector, type LeakDetectorOptions } from '../src/index.ts';
import { collectGarbage } from './support/collect-garbage.ts';

const MIB = 2 ** 20;
const MINUTE = 60_000;

/** A report on one sample a minute. */
function judge(samples: readonly number[], options: LeakDetectorOptions = {}) {
  const clock = new ManualClock();
  const detector = new LeakDetector({ clock, ...options });
  for (const live of samples) {
    detector.sample(live);
    clock.advance(MINUTE);
  }
  return detector.report();
}

/** Noise that is the same at every run. */
const noise = (index: number): number => Math.round(Math.abs(Math.sin(index * 12.9898) * 43_758.5453) % 1) * MIB;

describe('LeakDetector', () => {
  test('finds steady growth under noise, how fast, and how long it takes to the limit', () => {
    const report = judge(Array.from({ length: 40 }, (_, index) => 50 * MIB + index * MIB + noise(index)));
    expect(report).toMatchObject({ verdict: 'growing', samples: 40, span: 39 * MINUTE });
    expect(report.growthPerHour / MIB).toBeCloseTo(60, -1);
    expect(report.timeToLimit).toBeGreaterThan(0);
  });

  test('calls noise, a plateau after a warm-up, a fall and tiny growth steady', () => {
    const of = (value: (index: number) => number) => Array.from({ length: 40 }, (_, index) => value(index));
    const cases = {
      noise: of((index) => 50 * MIB + noise(index)),
      warmUp: of((index) => 50 * MIB + Math.min(index, 20) * 4 * MIB + noise(index)),
      fall: of((index) => 90 * MIB - index * MIB),
      tiny: of((index) => 50 * MIB + index * 1_000),
      jump: of((index) => (index < 5 ? 50 : 90) * MIB + noise(index)),
    };
    for (const [name, samples] of Object.entries(cases)) {
      expect([name, judge(samples).verdict]).toEqual([name, 'steady']);
      expect(judge(samples).timeToLimit).toBeUndefined();
    }
  });

  test('says nothing on few samples', () => {
    expect(judge([])).toEqual({
      verdict: 'unclear',
      growthPerHour: NaN,
      significance: 0,
      samples: 0,
      span: 0,
      live: undefined,
      timeToLimit: undefined,
    });
    expect(judge(Array.from({ length: 11 }, (_, index) => index * 100 * MIB)).verdict).toBe('unclear');
    expect(judge(Array.from({ length: 12 }, (_, index) => index * 100 * MIB)).verdict).toBe('growing');
  });

  test('keeps the lowest reading of each interval, and no more than a window of them', () => {
    const clock = new ManualClock(0);
    const detector = new LeakDetector({ clock, window: 8, interval: 100 });
    for (let index = 0; index < 1_000; index++) {
      for (const live of [30, 10, 20]) detector.sample(live + index);
      clock.advance(100);
    }
    expect(detector.stats()).toEqual({ samples: 8, readings: 3_000 });
    expect(detector.report()).toMatchObject({ samples: 8, span: 700, live: 1_009 });
  });

  test('follows major collections once started, until it is closed', async () => {
    const detector = new LeakDetector();
    expect(detector.start()).toBe(detector.start());
    await collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(detector.report().live).toBeGreaterThan(MIB);
    await detector.close();
    await detector.close();
    const { readings } = detector.stats();
    await collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    expect(detector.stats().readings).toBe(readings);
    for (const work of [() => detector.sample(), () => detector.start()]) {
      expect(work).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_CLOSED' }));
    }
    expect(detector.report().live).toBeGreaterThan(MIB);
  });

  test.each([
    [{ window: 4 }, '`window` must be a number from 8 to 1000, got 4'],
    [{ window: 10, minSamples: 11 }, '`minSamples` must be a number from 8 to 10, got 11'],
    [{ interval: -1 }, '`interval` must be a positive number of milliseconds or Infinity, got -1'],
    [{ clock: 5 }, '`clock` must be an object with a method `now`, got 5'],
    [{ minGrowth: 0.5 }, '`minGrowth` must be a non-negative integer, got 0.5'],
    [{ minGrwth: 1 }, 'LeakDetector has no option `minGrwth`'],
  ])('%o is refused', (options, message) => {
    expect(() => new LeakDetector(options as never)).toThrow(message);
  });
});
