import { describe, expect, test } from 'vitest';
import { TagHistory } from '../src/tag-history.ts';

describe('TagHistory', () => {
  test('what has a tag ends with an invalidation after its position, not before', () => {
    const history = new TagHistory();
    const before = history.position;
    history.invalidate(['a', 'b']);
    const after = history.position;
    expect(history.hasEnded(['a'], before)).toBe(true);
    expect(history.hasEnded(['x', 'b'], before)).toBe(true);
    expect(history.hasEnded(['x'], before)).toBe(false);
    expect(history.hasEnded([], before)).toBe(false);
    expect(history.hasEnded(['a', 'b'], after)).toBe(false);
    history.invalidate(['b']);
    expect(history.hasEnded(['a'], after)).toBe(false);
    expect(history.hasEnded(['b'], after)).toBe(true);
  });

  test('an invalidation of nothing is none', () => {
    const history = new TagHistory();
    history.invalidate([]);
    expect(history.position).toBe(0);
  });

  test('takes for ended what it no longer remembers, and never more than that', () => {
    const history = new TagHistory();
    const first = history.position;
    for (let index = 0; index < 25_000; index++) history.invalidate([`t${index}`]);
    const late = history.position;
    expect(history.hasEnded(['t0'], first)).toBe(true);
    // Never invalidated, but of a time that is forgotten: it cannot be told.
    expect(history.hasEnded(['other'], first)).toBe(true);
    expect(history.hasEnded(['other', 't24999'], late)).toBe(false);
    history.invalidate(['t24999']);
    expect(history.hasEnded(['t24999'], late)).toBe(true);
    expect(history.hasEnded(['other'], late)).toBe(false);
  });
});
