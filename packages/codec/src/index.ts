export type { Codec } from './codec.ts';
export { CodecError, type CodecErrorCode } from './codec-error.ts';
export { type CompressedOptions, compressed } from './compressed.ts';
export type { CompressionAlgorithm } from './compression.ts';
export { type Format, defineCodec } from './framed-codec.ts';
export { jsonCodec } from './json-codec.ts';
export { msgpackCodec } from './msgpack-codec.ts';
export { v8Codec } from './v8-codec.ts';
