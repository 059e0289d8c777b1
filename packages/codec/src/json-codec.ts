import type { Codec } from './codec.ts';
import { CodecError } from './codec-error.ts';
import { FramedCodec } from './framed-codec.ts';

// Fatal: bytes that are no UTF-8 are an error, not replacement characters.
const utf8 = /*@__PURE__*/ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

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
  deserialize: (payload): unknown => JSON.parse(utf8.decode(payload)),
});
