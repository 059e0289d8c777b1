import { describe, expect, test } from 'vitest';
import { InvalidProfileError, type CpuProfile, parseCpuProfile, toCpuProfile, topFunctions } from '../../src/index.ts';
import { profileOf } from '../profile-fixture.ts';

const profile = profileOf({ name: 'main', self: 10, calls: [{ name: 'work', line: 3, self: 20 }] });
const summary = (each: CpuProfile) =>
  topFunctions(each).map(({ name, self, total, line }) => [name, self, total, line]);
const expected = [
  ['work', 20, 20, 4],
  ['main', 10, 30, 1],
];

describe('a profile is read', () => {
  test('as it is written', () => {
    expect(summary(parseCpuProfile(toCpuProfile(profile)))).toEqual(expected);
  });

  test('with parents in place of children, and numbers for scripts', () => {
    const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
    const nodes = profile.nodes.map(({ id, callFrame }) => ({
      id,
      callFrame: { ...callFrame, scriptId: 7 },
      parent: parents.get(id),
    }));
    expect(summary(parseCpuProfile(JSON.stringify({ ...profile, nodes })))).toEqual(expected);
  });

  test('from inside an object', () => {
    expect(summary(parseCpuProfile(JSON.stringify({ profile })))).toEqual(expected);
  });

  test('in the old format, with a nested head and timestamps', () => {
    const frame = { url: 'file:///app/main.js', scriptId: '7', columnNumber: 0 };
    const head = {
      id: 1,
      functionName: '(root)',
      children: [
        {
          ...frame,
          id: 5,
          functionName: 'main',
          lineNumber: 0,
          children: [{ ...frame, id: 3, functionName: 'work', lineNumber: 3, children: [] }],
        },
      ],
    };
    const old = { head, startTime: 1, endTime: 1.03, samples: [5, 3, 3], timestamps: [500, 1_000, 11_000, 31_000] };
    expect(summary(parseCpuProfile(JSON.stringify(old)))).toEqual(expected);
    const shorter = { ...old, timestamps: old.timestamps.slice(1) };
    expect(summary(parseCpuProfile(JSON.stringify(shorter)))).toEqual(expected);
  });
});

describe('what is no profile is refused', () => {
  test.each([
    ['', 'it is not JSON'],
    ['[]', 'the file is not an object'],
    ['null', 'the file is not an object'],
    ['{}', '`nodes` is not a list'],
    ['{"nodes":[]}', 'it has no nodes'],
    ['{"nodes":[1]}', 'a node is not an object'],
    ['{"nodes":[{"id":1}]}', '`callFrame` is not an object'],
    ['{"nodes":[{"id":"x","callFrame":{}}]}', 'a node id is not a number'],
    ['{"nodes":[{"id":1,"callFrame":{},"parent":9}]}', 'node 1 has the unknown parent 9'],
    ['{"nodes":[{"id":1,"callFrame":{}}]}', '`samples` is not a list'],
    ['{"nodes":[{"id":1,"callFrame":{}}],"samples":[1]}', '`timeDeltas` is not a list'],
    [
      '{"nodes":[{"id":1,"callFrame":{}}],"samples":[1],"timeDeltas":[null]}',
      'an entry of `timeDeltas` is not a number',
    ],
    ['{"nodes":[{"id":1,"callFrame":{}}],"samples":[1],"timeDeltas":[]}', '1 samples but 0 time deltas'],
    ['{"nodes":[{"id":1,"callFrame":{}}],"samples":[1],"timeDeltas":[1]}', '`startTime` is not a number'],
    ['{"nodes":[{"id":1,"callFrame":{}}],"samples":[1],"timestamps":[]}', '1 samples but 0 timestamps'],
  ])('%s', (text, problem) => {
    expect(() => parseCpuProfile(text)).toThrow(InvalidProfileError);
    expect(() => parseCpuProfile(text)).toThrow(problem);
  });

  test('with a code that programs can match on', () => {
    expect(() => parseCpuProfile('?')).toThrow(expect.objectContaining({ code: 'PERF_PROFILER_INVALID_PROFILE' }));
  });
});
