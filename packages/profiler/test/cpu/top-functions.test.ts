import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CpuProfile, InvalidProfileError, callees, callers, topFunctions } from '../../src/index.ts';
import { type Stack, profileOf } from '../profile-fixture.ts';

const busyProfile = profileOf(
  {
    name: 'main',
    self: 10,
    calls: [
      {
        name: 'parse',
        line: 4,
        self: 30,
        calls: [{ name: 'parse', line: 4, self: 20, calls: [{ name: 'read', line: 9, self: 5 }] }],
      },
      { name: 'read', line: 9, self: 15 },
    ],
  },
  { name: '(garbage collector)', self: 20 },
  { name: '(idle)', self: 900 },
);

const times = (profile: CpuProfile, sort?: 'self' | 'total') =>
  topFunctions(profile, Infinity, sort).map(({ name, self, total }) => [name, self, total]);

describe('top functions', () => {
  test('are sorted by self time; recursion counts once in total; idle time is left out', () => {
    expect(times(busyProfile)).toEqual([
      ['parse', 50, 55],
      ['read', 20, 20],
      ['(garbage collector)', 20, 20],
      ['main', 10, 80],
    ]);
  });

  test('can be sorted by total time and cut short', () => {
    expect(topFunctions(busyProfile, 2, 'total').map(({ name }) => name)).toEqual(['main', 'parse']);
  });

  test('have their share of the busy time, and a place that an editor finds', () => {
    expect(topFunctions(busyProfile, 1)[0]).toMatchObject({
      selfShare: 0.5,
      totalShare: 0.55,
      url: 'file:///app/main.js',
      line: 5,
      column: 1,
      category: 'app',
    });
  });

  test('of one name in two places are two', () => {
    const profile = profileOf({ name: 'run', line: 1, self: 1 }, { name: 'run', line: 2, self: 2 });
    expect(topFunctions(profile).map(({ line, self }) => [line, self])).toEqual([
      [3, 2],
      [2, 1],
    ]);
  });

  test('are sorted into kinds of code', () => {
    const kinds = [
      'file:///app/a.js',
      'file:///app/node_modules/x/i.js',
      'C:\\a\\node_modules\\x\\i.js',
      'node:fs',
      '',
    ];
    const profile = profileOf(...kinds.map((url, i) => ({ name: `f${i}`, url, self: kinds.length - i })));
    expect(topFunctions(profile).map(({ category }) => category)).toEqual([
      'app',
      'dependency',
      'dependency',
      'node',
      'native',
    ]);
  });

  test('a sample out of order is put in order, and no time is lost', () => {
    const profile = profileOf({ name: 'a', self: 10 }, { name: 'b', self: 10 }, { name: 'c', self: 10 });
    const [a, b, c] = profile.samples as [number, number, number];
    const shuffled: CpuProfile = { ...profile, samples: [a, c, b], timeDeltas: [7_000, 20_000, -10_000] };
    expect(times(shuffled)).toEqual([
      ['a', 10, 10],
      ['b', 10, 10],
      ['c', 10, 10],
    ]);
  });

  test('an end before the last sample gives that sample nothing', () => {
    const profile = profileOf({ name: 'a', self: 10 }, { name: 'b', self: 10 });
    expect(times({ ...profile, endTime: 0 })).toEqual([
      ['a', 10, 10],
      ['b', 0, 0],
    ]);
  });

  test('of a profile without samples have no time', () => {
    expect(times({ ...busyProfile, samples: [], timeDeltas: [] }).every(([, self]) => self === 0)).toBe(true);
  });

  test('sum up to the whole time, and none has more than that', () => {
    const stack: fc.Memo<Stack> = fc.memo((depth) =>
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        self: fc.nat(20),
        calls: depth > 1 ? fc.array(stack(depth - 1), { maxLength: 3 }) : fc.constant([]),
      }),
    );
    fc.assert(
      fc.property(fc.array(stack(4), { maxLength: 4 }), (stacks) => {
        const profile = profileOf(...stacks);
        const whole = profile.samples.length === 0 ? 0 : (profile.endTime - profile.startTime - 7_000) / 1000;
        const all = topFunctions(profile, Infinity);
        expect(all.reduce((sum, { self }) => sum + self, 0)).toBeCloseTo(whole);
        for (const { self, total } of all) {
          expect(total).toBeGreaterThanOrEqual(self);
          expect(total).toBeLessThanOrEqual(whole + 1e-9);
        }
      }),
    );
  });
});

describe('a profile that contradicts itself', () => {
  const [first] = busyProfile.nodes;
  test.each<[string, Partial<CpuProfile>]>([
    ['unknown node 5', { samples: [5], timeDeltas: [1] }],
    ['unknown node 5', { nodes: [{ ...first!, children: [5] }] }],
    ['1 samples but 2 time deltas', { samples: [5], timeDeltas: [1, 2] }],
    [
      'circle',
      {
        nodes: [
          { ...first!, id: 1, children: [2] },
          { ...first!, id: 2, children: [1] },
        ],
      },
    ],
    [
      'two callers',
      {
        nodes: [
          { ...first!, id: 1, children: [3] },
          { ...first!, id: 2, children: [3] },
          { ...first!, id: 3, children: [] },
        ],
      },
    ],
  ])('is refused: %s', (problem, change) => {
    const broken = { ...busyProfile, samples: [], timeDeltas: [], ...change };
    expect(() => topFunctions(broken)).toThrow(InvalidProfileError);
    expect(() => topFunctions(broken)).toThrow(problem);
  });
});

describe('callers and callees', () => {
  const pairs = (edges: readonly { readonly name: string; readonly time: number }[]) =>
    edges.map(({ name, time }) => [name, time]);

  test('are the functions directly above and below', () => {
    expect(pairs(callers(busyProfile, { name: 'read' }))).toEqual([
      ['main', 15],
      ['parse', 5],
    ]);
    expect(pairs(callees(busyProfile, { name: 'main' }))).toEqual([
      ['parse', 55],
      ['read', 15],
    ]);
  });

  test('of a recursive function include itself', () => {
    expect(pairs(callers(busyProfile, { name: 'parse' }))).toEqual([
      ['main', 55],
      ['parse', 25],
    ]);
  });

  test('take an entry of the top functions', () => {
    const [top] = topFunctions(busyProfile);
    expect(pairs(callees(busyProfile, top!))).toEqual([
      ['parse', 25],
      ['read', 5],
    ]);
    expect(callers(busyProfile, { name: 'nobody' })).toEqual([]);
  });
});

test('a stack of 50 000 calls is no problem', () => {
  const nodes = Array.from({ length: 50_000 }, (_, i) => ({
    id: i + 1,
    callFrame: {
      functionName: `f${i % 100}`,
      scriptId: '1',
      url: 'file:///a.js',
      lineNumber: i % 100,
      columnNumber: 0,
    },
    children: i === 49_999 ? [] : [i + 2],
  }));
  const profile = { nodes, samples: [50_000], timeDeltas: [0], startTime: 0, endTime: 5_000 };
  expect(topFunctions(profile, Infinity, 'total').every(({ total }) => total === 5)).toBe(true);
});
