import * as zlib from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { type Codec, type CompressionAlgorithm, compressed, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts';
import { codeOf } from './code-of.ts';
import { reframe } from './reframe.ts';

const hasZstd = typeof zlib.zstdCompressSync === 'function';
const algorithms: CompressionAlgorithm[] = hasZstd ? ['gzip', 'brotli', 'zstd'] : ['gzip', 'brotli'];
const long = { text: 'all work and no play '.repeat(500) };

describe.each(algorithms)('%s', (algorithm) => {
  const codec = compressed(jsonCodec, { algorithm });

  test('makes a long value smaller and brings it back', () => {
    const frame = codec.encode(long);
    expect(frame.length).toBeLessThan(jsonCodec.encode(long).length / 10);
    expect(codec.decode(frame)).toEqual(long);
  });

  test('goes round every codec', () => {
    for (const inner of [jsonCodec, v8Codec, msgpackCodec]) {
      const both = compressed(inner, { algorithm, threshold: 0 });
      expect(both.id).toBe(inner.id);
      expect(both.decode(both.encode(long))).toEqual(long);
    }
  });

  test('stops a bomb at maxOutputLength', () => {
    const bomb = compressed(jsonCodec, { algorithm }).encode('0'.repeat(10_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    const careful = compressed(jsonCodec, { algorithm, maxOutputLength: 1_000_000 });
    expect(codeOf(() => careful.decode(bomb))).toBe('PERF_CODEC_TOO_LARGE');
  });

  test('reads exactly maxOutputLength bytes', () => {
    const size = JSON.stringify(long).length;
    const exact = compressed(jsonCodec, { algorithm, maxOutputLength: size });
    expect(exact.decode(exact.encode(long))).toEqual(long);
    const short = compressed(jsonCodec, { algorithm, maxOutputLength: size - 1 });
    expect(codeOf(() => short.encode(long))).toBe('PERF_CODEC_TOO_LARGE');
  });

  test('refuses a payload that does not decompress', () => {
    const frame = codec.encode(long);
    const forged = reframe(frame, Buffer.from('not compressed at all'));
    expect(codeOf(() => codec.decode(forged))).toBe('PERF_CODEC_CORRUPT');
    const truncated = reframe(frame, frame.subarray(16, frame.length - 5));
    expect(codeOf(() => codec.decode(truncated))).toBe('PERF_CODEC_CORRUPT');
  });

  test('reads the frames of every other algorithm', () => {
    for (const other of algorithms) {
      const frame = compressed(jsonCodec, { algorithm: other }).encode(long);
      expect(codec.decode(frame)).toEqual(long);
    }
  });
});

test('a short value is stored as it is, and readable without compression', () => {
  const codec = compressed(jsonCodec, { algorithm: 'gzip' });
  expect(jsonCodec.decode(codec.encode('short'))).toBe('short');
});

test('the threshold counts the bytes of the payload', () => {
  const at = compressed(jsonCodec, { algorithm: 'gzip', threshold: 100 });
  expect(at.encode('x'.repeat(98))[9]).toBe(1);
  expect(at.encode('x'.repeat(97))[9]).toBe(0);
});

test('a value that would not shrink is stored as it is', () => {
  const codec = compressed(v8Codec, { algorithm: 'gzip', threshold: 0 });
  const noise = zlib.gzipSync(JSON.stringify(Array.from({ length: 999 }, (_, index) => index)));
  expect(codec.encode(noise)[9]).toBe(0);
});

test('compression can be turned on over existing frames', () => {
  const codec = compressed(jsonCodec, { algorithm: 'gzip' });
  expect(codec.decode(jsonCodec.encode(long))).toEqual(long);
});

test('a stored payload above maxOutputLength is refused as well', () => {
  const codec = compressed(jsonCodec, { algorithm: 'gzip', maxOutputLength: 10 });
  expect(codeOf(() => codec.decode(jsonCodec.encode(long)))).toBe('PERF_CODEC_TOO_LARGE');
});

test('the plain codec refuses a compressed frame', () => {
  expect(codeOf(() => jsonCodec.decode(compressed(jsonCodec, { algorithm: 'gzip' }).encode(long)))).toBe(
    'PERF_CODEC_MISMATCH',
  );
});

test('flags that are not known are refused', () => {
  const frame = compressed(jsonCodec, { algorithm: 'gzip' }).encode(long);
  const forged = reframe(frame, frame.subarray(16), 8);
  expect(codeOf(() => compressed(jsonCodec, { algorithm: 'gzip' }).decode(forged))).toBe('PERF_CODEC_VERSION');
});

test('a codec made by hand gets a frame around its own bytes', () => {
  const plain: Codec<string> = {
    id: 200,
    encode: (value) => Buffer.from(value),
    decode: (bytes) => Buffer.from(bytes).toString(),
  };
  const codec = compressed(plain, { algorithm: 'gzip' });
  for (const value of ['short', 'long '.repeat(1000)]) expect(codec.decode(codec.encode(value))).toBe(value);
  expect(codeOf(() => codec.decode(Buffer.from('short')))).toBe('PERF_CODEC_FOREIGN');
});

test('zstd on a Node.js without it is an error at construction that says what it needs', async () => {
  vi.resetModules();
  vi.doMock('node:zlib', () => ({ ...zlib, zstdCompressSync: undefined, zstdDecompressSync: undefined }));
  const old = await import('../src/index.ts');
  expect(() => old.compressed(old.jsonCodec, { algorithm: 'zstd' })).toThrow(
    expect.objectContaining({ code: 'PERF_CODEC_UNAVAILABLE', message: expect.stringContaining('22.15') }),
  );
  vi.doUnmock('node:zlib');
  vi.resetModules();
});

test('options are checked', () => {
  expect(() => compressed(jsonCodec, { algorithm: 'lzma' as 'gzip' })).toThrow(/`algorithm` must be one of/);
  expect(() => compressed(jsonCodec, { algorithm: 'gzip', threshold: -1 })).toThrow(/`threshold`.*got -1/);
  expect(() => compressed(jsonCodec, { algorithm: 'gzip', maxOutputLength: 0 })).toThrow(/`maxOutputLength`.*got 0/);
  expect(() => compressed(jsonCodec, { algorithm: 'gzip', level: 3 } as never)).toThrow(/no option `level`/);
});

test('refuses what is no codec', () => {
  for (const bad of [null, 5, { encode: () => Buffer.alloc(0) }] as unknown as Codec<unknown>[]) {
    expect(() => compressed(bad, { algorithm: 'gzip' })).toThrow(/^`codec\.(en|de)code` must be a function/);
  }
});
