import { expect, test } from 'vitest';
import { retryAfterOf } from '../src/index.ts';

// Sunday, 06 Nov 1994, 08:49:37 GMT, as in RFC 9110.
const THEN = 784_111_777_000;

test.each<[Parameters<typeof retryAfterOf>[0], number | undefined]>([
  ['120', 120_000],
  [' 0 ', 0],
  ['1.5', 1500],
  [3, 3000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 10_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 10_000],
  ['Sun Nov  6 08:49:37 1994', 10_000],
  ['Sun, 06 Nov 1994 08:49:00 GMT', 0],
  [new Headers({ 'retry-after': '7' }), 7000],
  [{ 'Retry-After': '7' }, 7000],
  [{ 'retry-after': ['7', '8'] }, 7000],
  [{ 'retry-after': 7 }, 7000],
  [{ 'x-retry-after': '7' }, undefined],
  [{}, undefined],
  ['', undefined],
  ['-1', undefined],
  ['soon', undefined],
  ['5 apples', undefined],
  ['2024', 2_024_000],
  ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
  [NaN, undefined],
  [-1, undefined],
  [null, undefined],
  [undefined, undefined],
])('%o', (from, ms) => {
  expect(retryAfterOf(from, THEN - 10_000)).toBe(ms);
});

test('a date counts from now on', () => {
  expect(retryAfterOf(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(55_000);
});
