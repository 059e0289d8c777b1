import { PerfError } from '@perf/core';

/**
 * What a {@link CodecError} reports:
 * - `PERF_CODEC_FOREIGN`: the bytes are not one of our frames
 * - `PERF_CODEC_VERSION`: a frame of a later version of the format
 * - `PERF_CODEC_MISMATCH`: an intact frame, written by another codec
 * - `PERF_CODEC_CORRUPT`: truncated, extended or altered, or a payload that its format does not allow
 * - `PERF_CODEC_TOO_LARGE`: more bytes than allowed, compressed bombs included
 * - `PERF_CODEC_ENCODE`: a value this codec cannot carry
 * - `PERF_CODEC_UNAVAILABLE`: a compression this version of Node.js does not have
 */
export type CodecErrorCode =
  | 'PERF_CODEC_FOREIGN'
  | 'PERF_CODEC_VERSION'
  | 'PERF_CODEC_MISMATCH'
  | 'PERF_CODEC_CORRUPT'
  | 'PERF_CODEC_TOO_LARGE'
  | 'PERF_CODEC_ENCODE'
  | 'PERF_CODEC_UNAVAILABLE';

/** A value could not be turned into bytes, or bytes not into a value. */
export class CodecError extends PerfError {
  declare readonly code: CodecErrorCode;

  constructor(code: CodecErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }

  override get name(): string {
    return 'CodecError';
  }
}
