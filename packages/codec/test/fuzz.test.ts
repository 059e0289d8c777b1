import { isDeepStrictEqual } from 'node:util';
import * as zlib from 'node:zlib';
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
