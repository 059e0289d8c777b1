import { describe, expect, test } from 'vitest';
import { renderDiff } from '../../src/index.ts';
import { profileOf } from '../profile-fixture.ts';
import { readPage, rectsOf } from './page.ts';

const before = profileOf({
  name: 'main',
  self: 10,
  calls: [
    { name: 'slow', line: 1, self: 80 },
    { name: 'gone', line: 2, self: 10 },
  ],
});
const after = profileOf({
  name: 'main',
  self: 20,
  calls: [
    { name: 'slow', line: 1, self: 20 },
    { name: 'new', line: 3, self: 10 },
  ],
});

describe('a difference', () => {
  test('has the frames of after, each with its width before on the same scale', () => {
    const { data } = readPage(renderDiff(before, after));
    expect(data.diff).toBe(true);
    expect(
      Object.fromEntries(rectsOf(data).map(({ name, width, before: earlier }) => [name, [width, earlier]])),
    ).toEqual({
      all: [50_000, 50_000],
      main: [50_000, 50_000],
      slow: [20_000, 40_000],
      new: [10_000, 0],
    });
  });

  test('lists what changed most, vanished functions too', () => {
    const rows = [...readPage(renderDiff(before, after)).rest.matchAll(/<tr><td>(.*?)<\/tr>/g)].map(([, row]) =>
      row!
        .replace(/<small>.*?<\/small>/, '')
        .replace(/<[^>]+>/g, '|')
        .replace(/\s*\|+\s*/g, ' | '),
    );
    expect(rows).toEqual([
      'slow | 80.00 % | 40.00 % | -40.00 % | ',
      'main | 10.00 % | 40.00 % | +30.00 % | ',
      'new | 0.00 % | 20.00 % | +20.00 % | ',
      'gone | 10.00 % | 0.00 % | -10.00 % | ',
    ]);
  });

  test('of a profile with itself is none, however long it ran', () => {
    const twice = profileOf({
      name: 'main',
      self: 20,
      calls: [
        { name: 'slow', line: 1, self: 160 },
        { name: 'gone', line: 2, self: 20 },
      ],
    });
    const { data, rest } = readPage(renderDiff(before, twice));
    for (const { width, before: earlier } of rectsOf(data)) expect(earlier).toBe(width);
    expect(rest).not.toContain('<tr><td>');
  });

  test('knows functions again by their place, whatever ids a run gave their scripts', () => {
    const renumbered = {
      ...before,
      nodes: before.nodes.map((node) => ({ ...node, callFrame: { ...node.callFrame, scriptId: '99' } })),
    };
    expect(readPage(renderDiff(before, renumbered)).rest).not.toContain('<tr><td>');
  });
});
