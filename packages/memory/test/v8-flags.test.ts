import { expect, test } from 'vitest';
import { oldSpaceLimit, readV8Flags } from '../src/v8-flags.ts';

const MIB = 2 ** 20;

test('reads the flags in each way they can be written; arguments win, and the last one', () => {
  expect(readV8Flags([], undefined)).toEqual({});
  expect(readV8Flags(['--max-old-space-size=100'], undefined)).toEqual({ maxOldSpace: 100 });
  expect(readV8Flags(['--max_old_space_size', '100'], undefined)).toEqual({ maxOldSpace: 100 });
  expect(readV8Flags([], '--enable-source-maps  --max-semi-space-size=8')).toEqual({ maxSemiSpace: 8 });
  expect(readV8Flags(['--max-old-space-size=200'], '--max-old-space-size=100')).toEqual({ maxOldSpace: 200 });
  expect(readV8Flags(['--max-old-space-size=1', '--max-old-space-size=2'], '')).toEqual({ maxOldSpace: 2 });
  expect(readV8Flags(['--max-old-space-size'], 'x')).toEqual({});
  expect(readV8Flags(['--max-old-space-size=no'], '')).toEqual({});
});

test('the old generation`s limit leaves the young one out', () => {
  expect(oldSpaceLimit(242 * MIB, { maxOldSpace: 50 })).toBe(50 * MIB);
  expect(oldSpaceLimit(242 * MIB, { maxSemiSpace: 64 })).toBe(50 * MIB);
  expect(oldSpaceLimit(4288 * MIB, {})).toBe(4288 * MIB);
  expect(oldSpaceLimit(242 * MIB, { maxOldSpace: 500 })).toBe(242 * MIB);
  expect(oldSpaceLimit(100 * MIB, { maxSemiSpace: 64 })).toBe(100 * MIB);
});
