import * as zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Codec, compressed, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts';
import { codeOf } from './code-of.ts';
import { reframe } from './reframe.ts';

const value = {
  id: 42,
  name: 'a value of many kinds',
  tags: ['x', 'y', { deep: [null, true, false, 1.5, -1, 2 ** 40] }],
  empty: {},
  text: 'repeat '.repeat(40),
};

const codecs: [string, Codec<unknown>][] = [
  ['jsonCodec', jsonCodec],
  ['v8Codec', v8Codec],
  ['msgpackCodec', msgpackCodec],
  ['gzip over json', compressed(jsonCodec, { algorithm: 'gzip', threshold: 0, maxOutputLength: 1_000_000 })],
  ['brotli over msgpack', compressed(msgpackCodec, { algorithm: 'brotli', threshold: 0, maxOutputLength: 1_000_000 })],
];
if (typeof zlib.zstdCompressSync === 'function') {
  codecs.push(['zstd over v8', compressed(v8Codec, { algorithm: 'zstd', threshold: 0, maxOutputLength: 1_000_000 })]);
}

describe.each(codecs)('%s', (_name, codec) => {
  test('never reads a mutated frame as another value', () => {
    const random = mulberry32(7);
    const frame = codec.encode(value);
    let refused = 0;
    for (let run = 0; run < 5_000; run++) {
      const mutated = mutate(frame, random);
      if (codeOf(() => expect(codec.decode(mutated)).toEqual(value)) !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(4_500);
  });

  test('answers a forged payload with a value or a CodecError, nothing else', () => {
    const random = mulberry32(11);
    const frame = codec.encode(value);
    const outcomes = new Set<string | undefined>();
    for (let run = 0; run < 5_000; run++) {
      const forged = reframe(frame, mutate(frame.subarray(16), random));
      outcomes.add(codeOf(() => codec.decode(forged)));
    }
    expect(outcomes).toContain('PERF_CODEC_CORRUPT');
  });

  test('answers random payloads with a value or a CodecError', () => {
    const random = mulberry32(13);
    const frame = codec.encode(value);
    for (let run = 0; run < 2_000; run++) {
      const noise = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)));
      codeOf(() => codec.decode(reframe(frame, noise)));
    }
  });
});

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

/** Flips, overwrites, inserts, removes or truncates a few bytes. */
function mutate(bytes: Uint8Array, random: () => number): Buffer {
  let out = Buffer.from(bytes);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) {
    const at = Math.floor(random() * out.length);
    const noise = Buffer.of(Math.floor(random() * 256));
    switch (Math.floor(random() * 5)) {
      case 0:
        if (out.length > 0) out[at] = (out[at] as number) ^ (1 << Math.floor(random() * 8));
        break;
      case 1:
        if (out.length > 0) out[at] = noise[0] as number;
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), noise, out.subarray(at)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1)]);
        break;
      default:
        out = out.subarray(0, at);
    }
  }
  return out;
}

/** A small seeded generator, so that a failure can be run again. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
