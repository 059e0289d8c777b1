import { expect, test } from 'vitest';
import { isPromiseLike } from '../src/index.ts';

test.each([
  [true, Promise.resolve()],
  [true, { then() {} }],
  [true, Object.assign(() => {}, { then() {} })],
  [false, { then: 1 }],
  [false, () => {}],
  [false, null],
  [false, undefined],
  [false, 'then'],
])('isPromiseLike: %s', (expected, value) => {
  expect(isPromiseLike(value)).toBe(expected);
});
