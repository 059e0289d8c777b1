import { deserialize, serialize } from 'node:v8';
import type { Codec } from './codec.ts';
import { FramedCodec, type Format } from './framed-codec.ts';
import { checkMemory } from './v8-bounds.ts';

/** What starts a typed array in Node.js's use of V8's format. */
const HOST_OBJECT = 0x5c;

const format: Format<unknown> = {
  id: 2,
  serialize,
  deserialize(payload): unknown {
    checkMemory(payload);
    // Typed arrays in the result are views of what is deserialized: where there may be one, it is a copy.
    const isCopied = payload.includes(HOST_OBJECT);
    return deserialize(isCopied ? Uint8Array.prototype.slice.call(payload) : payload);
  },
};

/**
 * V8's structured clone format: the widest choice of values (`undefined`, `Date`, `Map`, `Set`, bigints, typed arrays, errors, cycles).
 * Functions and symbols are refused; class instances come back as plain objects. Bytes written by a newer major version of Node.js may be
 * refused by an older one, as a `CodecError`.
 */
export const v8Codec: Codec<unknown> = /*@__PURE__*/ new FramedCodec<unknown>(format);
