import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, CodecError, defineCodec, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts';
import { codeOf } from './code-of.ts';

const codecs: [string, Codec<unknown>][] = [
  ['jsonCodec', jsonCodec],
  ['v8Codec', v8Codec],
  ['msgpackCodec', msgpackCodec],
];

describe.each(codecs)('%s', (_name, codec) => {
  test.each([null, true, false, 0, 1, -1, 2 ** 40, 1.5, '', 'héllo 🙂', [], [[[]]], {}, { a: { b: [1, 'x', null] } }])(
    'carries %j',
    (value) => expect(codec.decode(codec.encode(value))).toEqual(value),
  );

  test('carries every JSON value', () => {
    const json = fc
      .jsonValue({ noUnicodeString: false })
      .filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(json, (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(codec.decode(codec.encode(plain))).toEqual(plain);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('reads a frame that is a view of a larger buffer', () => {
    const frame = codec.encode({ some: 'value' });
    const slab = new Uint8Array(frame.length + 20).fill(7);
    slab.set(frame, 11);
    expect(codec.decode(slab.subarray(11, 11 + frame.length))).toEqual({ some: 'value' });
  });

  test('refuses a function, a symbol and a cycle when it cannot carry them', () => {
    expect(codeOf(() => codec.encode(() => 1))).toBe('PERF_CODEC_ENCODE');
    expect(codeOf(() => codec.encode(Symbol('x')))).toBe('PERF_CODEC_ENCODE');
    if (codec === v8Codec) return;
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(codeOf(() => codec.encode(cycle))).toBe('PERF_CODEC_ENCODE');
    // The codec is as good as before after a refusal.
    expect(codec.decode(codec.encode([1, { a: 2 }]))).toEqual([1, { a: 2 }]);
  });

  test('refuses what is no frame', () => {
    for (const bytes of [
      new Uint8Array(),
      new Uint8Array(15),
      Buffer.from('{"a":1}'),
      Buffer.from('a longer text that is no frame at all'),
      null,
      undefined,
      'text',
      [1, 2, 3],
    ]) {
      expect(codeOf(() => codec.decode(bytes as Uint8Array))).toBe('PERF_CODEC_FOREIGN');
    }
  });

  test('refuses the frame of every other codec', () => {
    for (const [, other] of codecs) {
      if (other === codec) continue;
      expect(codeOf(() => codec.decode(other.encode([1])))).toBe('PERF_CODEC_MISMATCH');
    }
  });

  test('refuses a truncated and an extended frame', () => {
    const frame = codec.encode({ a: 'value of some length' });
    for (let length = 16; length < frame.length; length++) {
      expect(codeOf(() => codec.decode(frame.subarray(0, length)))).toBe('PERF_CODEC_CORRUPT');
    }
    expect(codeOf(() => codec.decode(Buffer.concat([frame, Buffer.of(0)])))).toBe('PERF_CODEC_CORRUPT');
  });

  test('refuses a later version of the format', () => {
    const frame = codec.encode(1);
    frame[3] = 2;
    expect(codeOf(() => codec.decode(frame))).toBe('PERF_CODEC_VERSION');
  });
});

describe('v8Codec', () => {
  test('carries undefined, dates, maps, sets, bigints, typed arrays and cycles', () => {
    const value: Record<string, unknown> = {
      nothing: undefined,
      date: new Date(5),
      map: new Map([[{ k: 1 }, new Set([1n])]]),
      floats: new Float64Array([1.5, -0]),
    };
    value['self'] = value;
    expect(v8Codec.decode(v8Codec.encode(value))).toEqual(value);
    expect(v8Codec.decode(v8Codec.encode(undefined))).toBeUndefined();
  });

  test('gives back memory of its own', () => {
    const frame = v8Codec.encode(new Uint8Array([1, 2, 3]));
    const before = Buffer.from(frame);
    (v8Codec.decode(frame) as Uint8Array).fill(9);
    expect(Buffer.from(frame)).toEqual(before);
  });
});

describe('msgpackCodec', () => {
  test('carries undefined, dates, 64-bit integers and bytes', () => {
    for (const value of [
      undefined,
      { a: undefined },
      new Date(5),
      new Date(-1.5e12),
      1n,
      -(2n ** 63n),
      2n ** 64n - 1n,
    ]) {
      expect(msgpackCodec.decode(msgpackCodec.encode(value))).toEqual(value);
    }
    expect(msgpackCodec.decode(msgpackCodec.encode(new Date(NaN)))).toEqual(new Date(NaN));
    expect(msgpackCodec.decode(msgpackCodec.encode(new Uint8Array([1, 2])))).toEqual(Buffer.of(1, 2));
  });

  test('carries sizes on both sides of every header', () => {
    for (const size of [15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
      const object = Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, index]));
      for (const value of ['x'.repeat(size), Buffer.alloc(size, 1), Array.from({ length: size }, () => 7), object]) {
        expect(msgpackCodec.decode(msgpackCodec.encode(value))).toEqual(value);
      }
    }
  });

  test('carries texts whose UTF-8 looks like that of a lone surrogate', () => {
    for (const value of [
      '\ufffd',
      '\ud7ff',
      '\uf000',
      '\ufeff',
      Buffer.of(0xed, 0xa0, 0x80),
      [0xed, 0xef, -1.1e-190],
      { '\ufffd': 1 },
    ]) {
      expect(msgpackCodec.decode(msgpackCodec.encode(value))).toEqual(value);
    }
  });

  test('gives back memory of its own', () => {
    const frame = msgpackCodec.encode({ bytes: new Uint8Array([1, 2, 3]) });
    const before = Buffer.from(frame);
    (msgpackCodec.decode(frame) as { bytes: Uint8Array }).bytes.fill(9);
    expect(Buffer.from(frame)).toEqual(before);
  });

  test.each([
    new Map([[1, 2]]),
    new Set([1]),
    new Float64Array(1),
    /x/,
    new Error('x'),
    new URL('http://host/'),
    '\ud800',
    '\udfff at the start',
    `${'long '.repeat(100)}\ud800`,
    ['x', { a: `${'long '.repeat(10_000)}\udc00` }],
    { '\ud800': 1 },
    { deep: { [`${'long '.repeat(100)}\udbff`]: 1 } },
    JSON.parse('{"__proto__": 1}') as unknown,
    2n ** 64n,
    { deep: [{ fn() {} }] },
  ])('refuses %o instead of changing it', (value) => {
    expect(codeOf(() => msgpackCodec.encode(value))).toBe('PERF_CODEC_ENCODE');
  });
});

describe('defineCodec', () => {
  const text = defineCodec<string>({
    id: 64,
    serialize: (value) => Buffer.from(value),
    deserialize: (payload) => payload.toString(),
  });

  test('frames a format of one’s own', () => {
    expect(text.decode(text.encode('hello'))).toBe('hello');
    expect(codeOf(() => jsonCodec.decode(text.encode('hello')))).toBe('PERF_CODEC_MISMATCH');
  });

  test('turns what the format throws into a CodecError with the cause', () => {
    const cause = new Error('no');
    const fail = (): never => {
      throw cause;
    };
    const broken = defineCodec<string>({ id: 65, serialize: (value) => Buffer.from(value), deserialize: fail });
    const frame = broken.encode('x');
    expect(() => broken.decode(frame)).toThrow(expect.objectContaining({ code: 'PERF_CODEC_CORRUPT', cause }));
    const odd = defineCodec<string>({ id: 67, serialize: () => 'text' as never, deserialize: fail });
    expect(codeOf(() => odd.encode('x'))).toBe('PERF_CODEC_ENCODE');
    const mute = defineCodec<string>({ id: 66, serialize: fail, deserialize: fail });
    expect(() => mute.encode('x')).toThrow(expect.objectContaining({ code: 'PERF_CODEC_ENCODE', cause }));
  });

  test('checks its arguments', () => {
    const format = { serialize: () => Buffer.alloc(0), deserialize: () => 1 };
    for (const id of [1, 31, -1, 256, 64.5, NaN]) expect(() => defineCodec({ ...format, id })).toThrow(RangeError);
    expect(() => defineCodec({ ...format, id: 64, serialize: 'x' as never })).toThrow(TypeError);
    expect(() => defineCodec({ ...format, id: 64, extra: 1 } as never)).toThrow(/no option `extra`/);
  });
});

test('a CodecError says its name and code', () => {
  const error = new CodecError('PERF_CODEC_FOREIGN', 'x');
  expect([error.name, error.code, String(error)]).toEqual(['CodecError', 'PERF_CODEC_FOREIGN', 'CodecError: x']);
});
