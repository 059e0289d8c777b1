import { deserialize, serialize } from 'node:v8';
import type { Codec } from './codec.ts';
import { FramedCodec } from './framed-codec.ts';

/**
 * V8's structured clone format: the widest choice of values (`undefined`, `Date`, `Map`, `Set`, bigints, typed arrays, errors, cycles).
 * Functions and symbols are refused; class instances come back as plain objects. Bytes written by a newer major version of Node.js may be
 * refused by an older one, as a `CodecError`.
 */
export const v8Codec: Codec<unknown> = /*@__PURE__*/ new FramedCodec<unknown>({
  id: 2,
  serialize,
  // A copy: typed arrays in the result are views of what is deserialized.
  deserialize: (payload): unknown => deserialize(Uint8Array.prototype.slice.call(payload)),
});
