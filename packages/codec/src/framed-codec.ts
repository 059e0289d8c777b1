import { checkFunction, checkOptions, checkRange } from '@perf/core';
import type { Codec } from './codec.ts';
import { CodecError } from './codec-error.ts';
import { fillHeader, readFrame, writeFrame } from './frame.ts';

/** A serialization format, without the frame around it. */
export interface Format<T> {
  /** Names the format in every frame: an integer from 0 to 255. 1 to 31 are kept for this package. */
  readonly id: number;
  /** May throw for a value it cannot carry. */
  serialize(value: T): Uint8Array;
  /** May throw for bytes it did not write. What it returns must not share memory with `payload`. */
  deserialize(payload: Buffer): T;
}

/** A format that can leave room for a header, which spares a copy. */
export interface RoomyFormat<T> extends Format<T> {
  /** As `serialize`, with as many bytes before the payload as a header has. */
  serializeWithRoom(value: T): Buffer;
}

/** A codec made of a format and a frame. Its parts are there for {@link compressed}, which needs the payload without the frame. */
export class FramedCodec<T> implements Codec<T> {
  readonly id: number;
  readonly #format: Format<T> | RoomyFormat<T>;

  constructor(format: Format<T> | RoomyFormat<T>) {
    this.id = format.id;
    this.#format = format;
  }

  encode(value: T): Uint8Array {
    const header = { codec: this.id, flags: 0 };
    const format = this.#format;
    if (!('serializeWithRoom' in format)) return writeFrame(header, this.serialize(value));
    let frame: Buffer;
    try {
      frame = format.serializeWithRoom(value);
    } catch (cause) {
      throw this.#cannotCarry(cause);
    }
    return fillHeader(header, frame);
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
      throw this.#cannotCarry(cause);
    }
  }

  #cannotCarry(cause: unknown): CodecError {
    if (cause instanceof CodecError) return cause;
    const message = `codec ${this.id} cannot carry this value: ${messageOf(cause)}`;
    return new CodecError('PERF_CODEC_ENCODE', message, { cause });
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
