import { checkFunction, checkOptions, checkRange } from '@perf/core';
import type { Codec } from './codec.ts';
import { CodecError } from './codec-error.ts';
import { readFrame, writeFrame } from './frame.ts';

/** A serialization format, without the frame around it. */
export interface Format<T> {
  /** Names the format in every frame: an integer from 0 to 255. 1 to 31 are kept for this package. */
  readonly id: number;
  /** May throw for a value it cannot carry. */
  serialize(value: T): Uint8Array;
  /** May throw for bytes it did not write. What it returns must not share memory with `payload`. */
  deserialize(payload: Buffer): T;
}

/** A codec made of a format and a frame. Its parts are there for {@link compressed}, which needs the payload without the frame. */
export class FramedCodec<T> implements Codec<T> {
  readonly id: number;
  readonly #format: Format<T>;

  constructor(format: Format<T>) {
    this.id = format.id;
    this.#format = format;
  }

  encode(value: T): Uint8Array {
    return writeFrame({ codec: this.id, flags: 0 }, this.serialize(value));
  }

  decode(bytes: Uint8Array): T {
    const { flags, payload } = readFrame(bytes, this.id);
    if (flags !== 0) {
      throw new CodecError('PERF_CODEC_MISMATCH', 'the frame is compressed: read it with `compressed(codec, …)`');
    }
    return this.deserialize(payload);
  }

  /** The payload alone. */
  serialize(value: T): Uint8Array {
    try {
      const payload = this.#format.serialize(value);
      if (!(payload instanceof Uint8Array)) throw new TypeError('`serialize` must return a Uint8Array');
      return payload;
    } catch (cause) {
      if (cause instanceof CodecError) throw cause;
      throw new CodecError('PERF_CODEC_ENCODE', `codec ${this.id} cannot carry this value: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** The value of a payload. */
  deserialize(payload: Buffer): T {
    try {
      return this.#format.deserialize(payload);
    } catch (cause) {
      if (cause instanceof CodecError) throw cause;
      throw new CodecError('PERF_CODEC_CORRUPT', `codec ${this.id} cannot read this payload: ${messageOf(cause)}`, {
        cause,
      });
    }
  }
}

/**
 * Makes a codec of your own format: frames, checksums and typed errors are added.
 *
 * @throws RangeError when the id is not from 0 to 255, or kept for this package
 */
export function defineCodec<T>(format: Format<T>): Codec<T> {
  checkOptions('defineCodec', format, ['id', 'serialize', 'deserialize']);
  checkRange('id', format.id, { min: 0, max: 255 });
  if (!Number.isInteger(format.id) || (format.id >= 1 && format.id <= 31)) {
    throw new RangeError(`\`id\` must be an integer, and not 1 to 31 (kept for @perf/codec), got ${format.id}`);
  }
  // A format may be an object of any class, so its methods are only looked at here.
  for (const method of ['serialize', 'deserialize'] as const) checkFunction<unknown>(method, format[method]);
  return new FramedCodec(format);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
