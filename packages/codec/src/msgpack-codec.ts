import { Packr } from 'msgpackr';
import type { Codec } from './codec.ts';
import { FramedCodec } from './framed-codec.ts';
import { checkBounds } from './msgpack-bounds.ts';
import { checkPackable, checkTexts } from './msgpack-values.ts';

// No records: they are an extension of msgpackr, and decoding one compiles code. Maps of any size: the default ends at 65 535 keys.
// Buffers are copied out of the input.
const packr = /*@__PURE__*/ new Packr({
  useRecords: false,
  variableMapSize: true,
  copyBuffers: true,
  int64AsType: 'bigint',
});

/**
 * Standard MessagePack, by msgpackr: `null`, `undefined`, booleans, numbers, bigints of 64 bits, strings, `Date`, bytes (as `Buffer`),
 * arrays and plain objects. Anything else is refused rather than changed. `-0` comes back as `0`.
 */
export const msgpackCodec: Codec<unknown> = /*@__PURE__*/ new FramedCodec<unknown>({
  id: 3,
  serialize(value) {
    checkPackable(value);
    const packed = packr.pack(value);
    checkTexts(value, packed);
    return packed;
  },
  deserialize(payload): unknown {
    checkBounds(payload);
    return packr.unpack(payload);
  },
});
