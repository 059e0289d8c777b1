import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Codec, type CompressionAlgorithm, compressed, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts';
import { codeOf } from './code-of.ts';
import { Random, mutateFrame, mutatePayload } from './mutations.ts';
import { reframe } from './reframe.ts';

/** A million in all: each frame has its share, whatever wrote it. */
const MUTATED_FRAMES = 1_000_000;
/** Those with a valid checksum are in addition. They get to the decompressor and the parser, which take longer. */
const FORGED_FRAMES = 150_000;

const values: unknown[] = [
  0,
  '',
  [],
  { id: 42, tags: ['x', 'y', { deep: [null, true, false, 1.5, -1, 2 ** 40] }], empty: {} },
  { name: 'a value of many kinds', text: 'repeat '.repeat(40), numbers: Array.from({ length: 40 }, (_, n) => n * n) },
];

const algorithms: (CompressionAlgorithm | undefined)[] = [undefined, 'gzip', 'brotli'];
if (typeof zlib.zstdCompressSync === 'function') algorithms.push('zstd');

const plain: [string, Codec<unknown>][] = [
  ['jsonCodec', jsonCodec],
  ['v8Codec', v8Codec],
  ['msgpackCodec', msgpackCodec],
];
const codecs = algorithms.flatMap((algorithm) =>
  plain.map(([name, codec]): [string, Codec<unknown>] =>
    algorithm === undefined
      ? [name, codec]
      : [`${algorithm} over ${name}`, compressed(codec, { algorithm, threshold: 0, maxOutputLength: 1_000_000 })],
  ),
);
/** What every codec has written of every value, to mix up. */
const frames = codecs.flatMap(([, codec]) => values.map((value) => codec.encode(value)));

// Errors are made by the million here, and nobody reads where.
const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

describe.each(codecs)('%s', (_name, codec) => {
  test('never reads a mutated frame as a value that it was not made of', () => {
    const random = new Random(7);
    const own = values.map((value) => ({ value, frame: codec.encode(value) }));
    const count = Math.ceil(MUTATED_FRAMES / codecs.length);
    let refused = 0;
    for (let run = 0; run < count; run++) {
      const { frame } = random.pick(own);
      const mutated = mutateFrame(frame, random, frames);
      let decoded: unknown;
      if (codeOf(() => (decoded = codec.decode(mutated))) !== undefined) refused++;
      else if (!isOneOf(decoded, mutated)) throw new Error(`run ${run}: a wrong value of ${mutated.toString('hex')}`);
    }
    expect(refused).toBeGreaterThan(count * 0.95);
    expect(refused).toBeLessThan(count);
  });

  test('answers a forged payload with a value or a CodecError, nothing else', () => {
    const random = new Random(11);
    const outcomes = new Set<string | undefined>();
    for (let run = 0; run < FORGED_FRAMES / codecs.length; run++) {
      const frame = codec.encode(random.pick(values));
      const forged = reframe(frame, mutatePayload(frame.subarray(16), random));
      outcomes.add(codeOf(() => codec.decode(forged)));
    }
    expect(outcomes).toContain('PERF_CODEC_CORRUPT');
  });

  test('answers random payloads with a value or a CodecError', () => {
    const random = new Random(13);
    const frame = codec.encode(values.at(-1));
    for (let run = 0; run < 2_000; run++) {
      const noise = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)));
      codeOf(() => codec.decode(reframe(frame, noise)));
    }
  });
});

/** A mutation may have changed nothing, or have made another frame as it was written. */
function isOneOf(decoded: unknown, mutated: Buffer): boolean {
  return frames.some((frame) => mutated.equals(frame)) && values.some((value) => isDeepStrictEqual(value, decoded));
}

describe('a forged MessagePack payload', () => {
  const frame = msgpackCodec.encode(1);
  const refuse = (...bytes: number[]): void => {
    expect(codeOf(() => msgpackCodec.decode(reframe(frame, Buffer.from(bytes))))).toBe('PERF_CODEC_CORRUPT');
  };

  test('does not allocate for items it does not have', () => {
    refuse(0xdd, 0xff, 0xff, 0xff, 0xff);
    refuse(0xdf, 0xff, 0xff, 0xff, 0xff);
    refuse(0xdc, 0xff, 0xff);
    refuse(0xde, 0xff, 0xff, 0x01);
    refuse(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61);
    refuse(0xc6, 0xff, 0xff, 0xff, 0xff, 0x61);
    // Each array header announces 32 million items: eight bytes apiece, nested.
    refuse(...Array.from({ length: 400 }, () => [0xdd, 0x01, 0xff, 0xff, 0xff]).flat());
  });

  test('does not reach the extensions that compile code or refer to other values', () => {
    refuse(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01);
    refuse(0xd4, 0x62, 0x01);
    refuse(0xd6, 0x69, 0, 0, 0, 1, 0x01);
    refuse(0xc7, 0x04, 0x78, 0x92, 0xa1, 0x61, 0xa0);
  });

  test('holds one value and nothing else', () => {
    refuse();
    refuse(0x01, 0x01);
    refuse(0x91);
    refuse(0xc1);
  });

  test('that nests too deep is refused without harm', () => {
    const deep = reframe(frame, Buffer.alloc(1_000_000, 0x91).fill(0x01, 999_999));
    expect(codeOf(() => msgpackCodec.decode(deep))).toBe('PERF_CODEC_CORRUPT');
    expect(msgpackCodec.decode(frame)).toBe(1);
  });
});

describe('a forged V8 payload', () => {
  const frame = v8Codec.encode(1);
  const refused = (payload: Uint8Array): string | undefined => codeOf(() => v8Codec.decode(reframe(frame, payload)));
  const hex = (text: string): Buffer => Buffer.from(text, 'hex');

  test('does not allocate for items it does not have', () => {
    // An array of 17 million holes in seven bytes.
    expect(refused(hex('ff0f61fafafa08'))).toBe('PERF_CODEC_TOO_LARGE');
    // Many, of which each by itself might pass.
    expect(refused(Buffer.concat([hex('ff0f'), ...Array.from({ length: 50 }, () => hex('61808080014900'))]))).toBe(
      'PERF_CODEC_TOO_LARGE',
    );
    // Arrays within arrays, each of which announces as many items as there are bytes left.
    expect(refused(Buffer.concat([hex('ff0f'), ...Array.from({ length: 5_000 }, () => hex('41f02e'))]))).toBe(
      'PERF_CODEC_CORRUPT',
    );
    // Buffers of no bytes that want to grow to gigabytes.
    expect(refused(Buffer.concat([hex('ff0f'), ...Array.from({ length: 9 }, () => hex('41097e00ffffffff07'))]))).toBe(
      'PERF_CODEC_TOO_LARGE',
    );
  });

  test('starts as those that are written do', () => {
    for (const start of ['', 'ff', '00', '6f7b00', 'ff0e49', 'ff1049', 'ff8f0049', 'ff8f800049']) {
      expect(refused(hex(start))).toBe('PERF_CODEC_CORRUPT');
    }
  });
});

test('what comes after a V8 value of any kind is looked at too', () => {
  const holes: unknown[] = [];
  holes.length = 3_000_000;
  expect(codeOf(() => v8Codec.decode(v8Codec.encode(holes)))).toBe('PERF_CODEC_TOO_LARGE');
  const self: unknown[] = [];
  self.push(self, new Map<unknown, unknown>([[self, self]]));
  const gaps: unknown[] = [];
  gaps[1] = 1;
  gaps[3] = 'x';
  const primitives = [null, undefined, true, false, 0, -0, 1.5, -1, 2 ** 31, NaN, 0n, -(2n ** 200n)];
  const texts = ['', 'a', 'ключ', 'x'.repeat(300), 'ю'.repeat(300), new Date(5), /a[b]/gi, /ключ/u];
  const boxes = [true, false, 1, 'text', 'ключ', 2n ** 70n].map(Object);
  const collections = [[], [1, 2], [1.5, 2.5], gaps, {}, { a: { b: 1 } }, { 5: 1, x: [{}] }, new Set()];
  const nested = [new Map([[{ a: 1 }, new Set([1, 'a'])]]), self, Object.assign([1, 2], { extra: 'x' })];
  const buffers = [
    new ArrayBuffer(7),
    new ArrayBuffer(7, { maxByteLength: 70 }),
    Buffer.from('abc'),
    new Uint8Array(5),
  ];
  const views = [new Float64Array(3), new BigInt64Array(1), new DataView(new ArrayBuffer(3))];
  const cause = new Error('b', { cause: { a: [1, 'c', /s/] } });
  const errors = [new Error('e'), new TypeError('ю', { cause }), new RangeError(), new Error('a', { cause: 'c' })];
  const kinds = [primitives, texts, boxes, collections, nested, buffers, views, errors].flat();
  for (const kind of kinds) {
    expect(isDeepStrictEqual(v8Codec.decode(v8Codec.encode(kind)), deserialize(serialize(kind)))).toBe(true);
    expect(codeOf(() => v8Codec.decode(v8Codec.encode([kind, { in: kind }, holes])))).toBe('PERF_CODEC_TOO_LARGE');
  }
});

test('V8’s format carries whatever it carries by itself', () => {
  const value = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });
  fc.assert(
    fc.property(value, (each) => {
      expect(isDeepStrictEqual(v8Codec.decode(v8Codec.encode(each)), deserialize(serialize(each)))).toBe(true);
    }),
    { seed: 5, numRuns: 3_000 },
  );
});
