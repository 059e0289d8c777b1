import { isUtf8 } from 'node:buffer';
import type { Codec } from './codec.ts';
import { CodecError } from './codec-error.ts';
import { FramedCodec } from './framed-codec.ts';

/**
 * JSON. Carries what JSON carries: a `Date` comes back as a string, `NaN` as `null`, members that are `undefined` are dropped, as with
 * `JSON.stringify`. `undefined`, functions and symbols by themselves are refused, and so are bigints and cycles.
 */
export const jsonCodec: Codec<unknown> = /*@__PURE__*/ new FramedCodec<unknown>({
  id: 1,
  serialize(value) {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new CodecError('PERF_CODEC_ENCODE', `JSON has no ${typeof value}`);
    return Buffer.from(text, 'utf8');
  },
  deserialize(payload): unknown {
    // Else they would be replacement characters.
    if (!isUtf8(payload)) throw new TypeError('the payload is no UTF-8');
    return JSON.parse(payload.toString());
  },
});
