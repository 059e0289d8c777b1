import { describe, expect, test } from 'vitest';
import { type GradientState, type GradientWindow, initialGradient, nextGradient } from '../src/gradient-limit.ts';

const BOUNDS = { minLimit: 1, maxLimit: 1_000, tolerance: 1.5, random: 0.5 };

/** A server that takes `base` ms while at most `capacity` calls run, and queues what is above. */
function server(capacity: number, base = 10) {
  return (inFlight: number): GradientWindow => ({
    latency: base * Math.max(1, inFlight / capacity),
    inFlight,
    overload: 0,
  });
}

function run(
  from: GradientState,
  respond: (inFlight: number) => GradientWindow,
  options: { windows: number; load?: number },
): { state: GradientState; limits: number[] } {
  let state = from;
  const limits: number[] = [];
  for (let index = 0; index < options.windows; index++) {
    state = nextGradient(state, respond(Math.min(Math.floor(state.limit), options.load ?? Infinity)), BOUNDS);
    limits.push(state.limit);
  }
  return { state, limits };
}

const settled = (limits: number[]): { least: number; most: number } => {
  const last = limits.slice(-100).toSorted((one, other) => one - other);
  // Without the probes, which halve the limit for one window of forty.
  return { least: last[10]!, most: last.at(-1)! };
};

describe('the limit', () => {
  test('grows while calls take no time that the clock can tell', () => {
    const { limits } = run(initialGradient(20), (inFlight) => ({ latency: 0, inFlight, overload: 0 }), {
      windows: 100,
    });
    expect(settled(limits).most).toBeGreaterThan(40);
  });

  test.each([5, 50, 300])('settles a little above what the server takes at once (%i)', (capacity) => {
    const { limits } = run(initialGradient(20), server(capacity), { windows: 800 });
    const { least, most } = settled(limits);
    expect(least).toBeGreaterThan(capacity * 0.9);
    expect(most).toBeLessThan(capacity * 2 + 3);
  });

  test('does not drift up while the server stays overloaded', () => {
    const early = settled(run(initialGradient(20), server(20), { windows: 300 }).limits);
    const late = settled(run(initialGradient(20), server(20), { windows: 5_000 }).limits);
    expect(late.most).toBeLessThanOrEqual(early.most * 1.1);
  });

  test('follows a server that loses capacity, and one that gets it back', () => {
    const first = run(initialGradient(20), server(100), { windows: 800 });
    const less = run(first.state, server(20), { windows: 400 });
    expect(settled(less.limits).most).toBeLessThan(50);
    const more = run(less.state, server(100), { windows: 800 });
    expect(settled(more.limits).least).toBeGreaterThan(90);
  });

  test('is not fooled by a server that loses capacity just when the baseline is measured', () => {
    for (let windows = 60; windows < 140; windows++) {
      const first = run(initialGradient(20), server(400), { windows });
      const { state } = run(first.state, server(20), { windows: 120 });
      expect(state.baseline).toBeLessThan(11.2);
    }
  });

  test('takes a server that has become slower for what it is, instead of shrinking for ever', () => {
    const first = run(initialGradient(20), server(50, 10), { windows: 400 });
    const slower = run(first.state, server(50, 40), { windows: 800 });
    expect(settled(slower.limits).least).toBeGreaterThan(45);
  });

  test('does not grow when it is not reached', () => {
    const { state } = run(initialGradient(20), server(1_000), { windows: 200, load: 5 });
    expect(state.limit).toBe(20);
  });

  test('does not shrink for slow calls that it does not cause', () => {
    const known = nextGradient(initialGradient(20), { latency: 1, inFlight: 1, overload: 0 }, BOUNDS);
    expect(run(known, () => ({ latency: 50, inFlight: 1, overload: 0 }), { windows: 200 }).state.limit).toBe(20);
  });

  test('backs off when calls end in overload, more the more of them do, and never below the least', () => {
    const window = { latency: 10, inFlight: 100 };
    const known = nextGradient(initialGradient(100), { ...window, overload: 0 }, BOUNDS);
    const few = nextGradient(known, { ...window, overload: 0.02 }, BOUNDS);
    const many = nextGradient(known, { ...window, overload: 0.4 }, BOUNDS);
    const all = nextGradient(known, { latency: undefined, inFlight: 100, overload: 1 }, BOUNDS);
    expect(few.limit).toBeCloseTo(known.limit * 0.9);
    expect(many.limit).toBeCloseTo(known.limit * 0.6);
    expect(all.limit).toBeCloseTo(known.limit * 0.5);
    const dead = () => ({ latency: undefined, inFlight: 1, overload: 1 });
    expect(run(initialGradient(20), dead, { windows: 50 }).state.limit).toBe(1);
  });

  test('does not go back to where it was when calls end in overload even while the baseline is measured', () => {
    const calm = run(initialGradient(40), server(40), { windows: 5 }).state;
    const slow: GradientWindow = { latency: 40, inFlight: 40, overload: 0 };
    const probing = nextGradient(calm, slow, BOUNDS);
    expect(probing.probe).toBeDefined();
    const after = nextGradient(probing, { latency: undefined, inFlight: 20, overload: 1 }, BOUNDS);
    expect(after.probe).toBeUndefined();
    expect(after.limit).toBeLessThan(probing.limit);
  });

  test('measures at once when calls become far slower: fewer at a time, or slower for everybody', () => {
    const calm = run(initialGradient(40), server(40), { windows: 100 }).state;
    const fewer = run(calm, server(20), { windows: 6 }).limits.at(-1) as number;
    expect(fewer).toBeGreaterThan(16);
    expect(fewer).toBeLessThan(40);
    expect(run(calm, server(40, 20), { windows: 6 }).limits.at(-1)).toBeGreaterThan(36);
  });

  test('stays within its bounds', () => {
    let state = initialGradient(10);
    for (let index = 0; index < 500; index++) {
      state = nextGradient(
        state,
        { latency: 1, inFlight: Math.floor(state.limit), overload: 0 },
        { ...BOUNDS, minLimit: 8, maxLimit: 12 },
      );
      expect(state.limit).toBeGreaterThanOrEqual(8);
      expect(state.limit).toBeLessThanOrEqual(12);
    }
  });
});
