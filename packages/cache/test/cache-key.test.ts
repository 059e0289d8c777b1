import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CacheKey, fromStoreKey, toStoreKey } from '../src/cache-key.ts';

const key: fc.Arbitrary<CacheKey> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('#', 'n', '1', '-', 'null', 'true') }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
);

test('a key comes back from its text as it was, so that no two keys have the same', () => {
  fc.assert(
    fc.property(key, (each) => {
      expect(fromStoreKey(toStoreKey(each))).toBe(Object.is(each, -0) ? 0 : each);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

test('strings stay as they are, unless they look like something else', () => {
  expect(['user:1', '', '#1', 1, -1.5, 2n, null].map(toStoreKey)).toEqual([
    'user:1',
    '',
    '##1',
    '#1',
    '#-1.5',
    '#2n',
    '#null',
  ]);
});

test('strings that UTF-8 would make alike stay apart', () => {
  const texts = ['\ud800', '\ud801', '\ufffd'].map((each) => Buffer.from(toStoreKey(each)).toString());
  expect(new Set(texts).size).toBe(3);
});

test('any text gives a key', () => {
  for (const text of ['#', '#n', '#x', '#1x', '#-n', '# ', '#j', '#j1', '#j"'])
    expect(() => fromStoreKey(text)).not.toThrow();
});
