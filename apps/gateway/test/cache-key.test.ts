import { expect, test } from 'vitest';
import { cacheKey } from '../src/cache-key.ts';

test('the order of keys does not matter, at any depth; the order of elements does', () => {
  expect(cacheKey('t', { a: 1, b: { c: [1, { y: 1, x: 2 }], d: null } })).toBe(
    cacheKey('t', { b: { d: null, c: [1, { x: 2, y: 1 }] }, a: 1 }),
  );
  expect(cacheKey('t', { a: [1, 2] })).not.toBe(cacheKey('t', { a: [2, 1] }));
});

test('different arguments never share a key', () => {
  const different = [
    {},
    { a: 1 },
    { a: '1' },
    { a: [1] },
    { a: { 0: 1 } },
    { a: null },
    { a: false },
    { a: '' },
    { '': 'a' },
  ];
  const hostile = JSON.parse('[{"__proto__":1},{"__proto__":2},{"constructor":1}]') as unknown[];
  const keys = [...different, ...hostile].flatMap((args) => [cacheKey('t', args), cacheKey('u', args)]);
  expect(new Set(keys).size).toBe(keys.length);
});
