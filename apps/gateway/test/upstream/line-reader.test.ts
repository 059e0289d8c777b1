import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineReader } from '../../src/upstream/line-reader.ts';

test('the lines are those of the whole text, however it is cut into chunks', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(8)), (texts, cuts) => {
      const lines = texts.map((line) => line.replaceAll('\n', '').trim());
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const reader = new LineReader(1_000_000);
      const read: string[] = [];
      let at = 0;
      for (const size of [...cuts, bytes.length]) {
        read.push(...reader.read(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(read).toEqual(lines);
    }),
  );
});

test('a line that is too long is refused, in one chunk or in several', () => {
  expect(() => [...new LineReader(3).read(Buffer.from('abcd\n'))]).toThrow(RangeError);
  const reader = new LineReader(3);
  expect([...reader.read(Buffer.from('abc\nab'))]).toEqual(['abc']);
  expect(() => [...reader.read(Buffer.from('cd'))]).toThrow('more than 3 bytes');
});
