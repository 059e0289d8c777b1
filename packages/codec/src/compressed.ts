import { checkCount, checkFunction, checkOneOf, checkOptions, checkPositiveInteger } from '@perf/core';
import type { Codec } from './codec.ts';
import { CodecError } from './codec-error.ts';
import { type CompressionAlgorithm, compressionNamed, compressionOf } from './compression.ts';
import { MAX_PAYLOAD, readFrame, writeFrame } from './frame.ts';
import { FramedCodec } from './framed-codec.ts';

/** Options of {@link compressed}. */
export interface CompressedOptions {
  /** What new frames are compressed with. Frames of every algorithm that Node.js has are read. */
  readonly algorithm: CompressionAlgorithm;
  /** Payloads of fewer bytes are stored as they are. @default 1024 */
  readonly threshold?: number;
  /** The most bytes a payload may have before compression and after decompression. @default 67_108_864 (64 MiB) */
  readonly maxOutputLength?: number;
}

/**
 * Compresses what `codec` writes, where it helps: short payloads, and those that would not shrink, are stored as they are. It also reads what `codec` alone has written,
 * so that compression can be turned on over existing data.
 *
 * Compression runs on the calling thread.
 *
 * @throws CodecError `PERF_CODEC_UNAVAILABLE` when this Node.js lacks the algorithm
 */
export function compressed<T>(codec: Codec<T>, options: CompressedOptions): Codec<T> {
  checkOptions('compressed', options, ['algorithm', 'threshold', 'maxOutputLength']);
  const { algorithm, threshold = 1024, maxOutputLength = 64 * 2 ** 20 } = options;
  checkOneOf('algorithm', algorithm, ['gzip', 'brotli', 'zstd']);
  checkCount('threshold', threshold);
  checkPositiveInteger('maxOutputLength', maxOutputLength);
  compressionNamed(algorithm);
  for (const method of ['encode', 'decode'] as const) checkFunction<unknown>(`codec.${method}`, codec?.[method]);
  return new CompressedCodec(codec, { algorithm, threshold, maxOutputLength: Math.min(maxOutputLength, MAX_PAYLOAD) });
}

class CompressedCodec<T> implements Codec<T> {
  readonly id: number;
  readonly #inner: FramedCodec<T>;
  readonly #options: Required<CompressedOptions>;

  constructor(codec: Codec<T>, options: Required<CompressedOptions>) {
    this.id = codec.id;
    this.#inner = codec instanceof FramedCodec ? codec : wrapped(codec);
    this.#options = options;
  }

  encode(value: T): Uint8Array {
    const { algorithm, threshold, maxOutputLength } = this.#options;
    const payload = this.#inner.serialize(value);
    // Refused now, since nobody could read it later.
    if (payload.length > maxOutputLength) throw tooLarge(maxOutputLength);
    if (payload.length >= threshold) {
      const compression = compressionNamed(algorithm);
      const short = compression.compress(payload);
      if (short.length < payload.length) return writeFrame({ codec: this.id, flags: compression.flag }, short);
    }
    return writeFrame({ codec: this.id, flags: 0 }, payload);
  }

  decode(bytes: Uint8Array): T {
    const { maxOutputLength } = this.#options;
    const { flags, payload } = readFrame(bytes, this.id);
    const compression = compressionOf(flags);
    if (compression === undefined) {
      if (payload.length > maxOutputLength) throw tooLarge(maxOutputLength);
      return this.#inner.deserialize(payload);
    }
    return this.#inner.deserialize(
      inflate(() => compression.decompress(payload, { maxOutputLength }), maxOutputLength),
    );
  }
}

/** A codec that was made by hand keeps its own bytes, and gets a frame around them. */
function wrapped<T>(codec: Codec<T>): FramedCodec<T> {
  return new FramedCodec({
    id: codec.id,
    serialize: (value: T) => codec.encode(value),
    deserialize: (payload) => codec.decode(payload),
  });
}

function inflate(decompress: () => Buffer, maxOutputLength: number): Buffer {
  try {
    return decompress();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxOutputLength);
    throw new CodecError('PERF_CODEC_CORRUPT', 'the payload does not decompress', { cause });
  }
}

function tooLarge(limit: number): CodecError {
  return new CodecError('PERF_CODEC_TOO_LARGE', `the payload is larger than ${limit} bytes`);
}
