import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INITIAL_LEVEL,
  type LevelPolicy,
  type LevelState,
  type PressureLevel,
  nextLevel,
  rankOf,
} from '../src/pressure-level.ts';

const POLICY: LevelPolicy = { elevated: 0.7, critical: 0.9, hysteresis: 0.1, dwell: 100 };

/** The levels after each `[ratio, now]`. */
function levels(steps: readonly (readonly [ratio: number, now: number])[]): PressureLevel[] {
  let state: LevelState = INITIAL_LEVEL;
  return steps.map(([ratio, now]) => {
    state = nextLevel(state, { ratio, ceiling: 'critical', now }, POLICY);
    return state.level;
  });
}

describe('the level', () => {
  test('rises at once, to the level that is due', () => {
    expect(
      levels([
        [0.69, 0],
        [0.7, 1],
        [0.9, 2],
      ]),
    ).toEqual(['normal', 'elevated', 'critical']);
    expect(levels([[1.5, 0]])).toEqual(['critical']);
  });

  test('falls only below the threshold by the hysteresis, for the dwell time', () => {
    expect(
      levels([
        [0.95, 0],
        [0.85, 1],
        [0.85, 1_000],
        [0.79, 1_001],
        [0.79, 1_100],
        [0.79, 1_101],
        [0.65, 5_000],
        [0.5, 5_001],
        [0.5, 5_101],
      ]),
    ).toEqual([
      'critical',
      'critical',
      'critical',
      'critical',
      'critical',
      'elevated',
      'elevated',
      'elevated',
      'normal',
    ]);
  });

  test('one high reading starts the dwell time anew', () => {
    expect(
      levels([
        [0.95, 0],
        [0.1, 1],
        [0.85, 90],
        [0.1, 91],
        [0.1, 190],
        [0.1, 191],
      ]),
    ).toEqual(['critical', 'critical', 'critical', 'critical', 'critical', 'normal']);
  });

  test('does not flap around a threshold', () => {
    const saw = Array.from({ length: 1_000 }, (_, index) => [index % 2 === 0 ? 0.91 : 0.88, index * 50] as const);
    expect(new Set(levels(saw))).toEqual(new Set(['critical']));
  });

  test('stays below its ceiling, and leaves a level above it', () => {
    let state = nextLevel(INITIAL_LEVEL, { ratio: 0.99, ceiling: 'elevated', now: 0 }, POLICY);
    expect(state.level).toBe('elevated');
    state = nextLevel(state, { ratio: 0.99, ceiling: 'critical', now: 1 }, POLICY);
    expect(state.level).toBe('critical');
    state = nextLevel(state, { ratio: 0.99, ceiling: 'elevated', now: 2 }, POLICY);
    state = nextLevel(state, { ratio: 0.99, ceiling: 'elevated', now: 102 }, POLICY);
    expect(state.level).toBe('elevated');
  });

  test('is never lower than the reading demands, and never falls sooner than allowed', () => {
    const steps = fc.array(fc.tuple(fc.double({ min: 0, max: 1.2, noNaN: true }), fc.nat({ max: 200 })), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(steps, (list) => {
        let state: LevelState = INITIAL_LEVEL;
        let now = 0;
        let lastHigh = -Infinity;
        for (const [ratio, wait] of list) {
          now += wait;
          const before = state.level;
          state = nextLevel(state, { ratio, ceiling: 'critical', now }, POLICY);
          const due = ratio >= 0.9 ? 2 : ratio >= 0.7 ? 1 : 0;
          expect(rankOf(state.level)).toBeGreaterThanOrEqual(due);
          if (rankOf(state.level) > rankOf(before)) expect(rankOf(state.level)).toBe(due);
          const holds = ratio + 0.1 >= (before === 'critical' ? 0.9 : 0.7);
          if (holds) lastHigh = now;
          if (rankOf(state.level) < rankOf(before)) {
            expect(holds).toBe(false);
            expect(now - lastHigh).toBeGreaterThanOrEqual(100);
          }
          if (state.level !== before) lastHigh = now;
        }
      }),
    );
  });
});
