import { crc32 } from 'node:zlib';
import { CodecError } from './codec-error.ts';

/**
 * The layout of a frame; integers are little-endian.
 *
 * ```
 *  0  magic     C1 50 46   C1 starts neither UTF-8 nor MessagePack nor a compressed stream
 *  3  version   1
 *  4  checksum  CRC-32 of all that follows
 *  8  codec     the codec's id
 *  9  flags     low 2 bits: compression; the rest is zero
 * 10  reserved  zero, zero
 * 12  length    of the payload, 32 bits
 * 16  payload
 * ```
 *
 * The checksum finds accidents. It does not stop a forger: whoever may write the bytes may write a value of their choice.
 */
export const HEADER_SIZE = 16;

/** The longest payload a frame describes. */
export const MAX_PAYLOAD: number = 2 ** 32 - 1;

const MAGIC = 0x46_50_c1;
const VERSION = 1;
const CHECKSUM = 4;
const CODEC = 8;
const FLAGS = 9;
const LENGTH = 12;

/** What the header of a frame says. */
export interface FrameHeader {
  readonly codec: number;
  readonly flags: number;
}

/** Puts a header before `payload`. */
export function writeFrame(header: FrameHeader, payload: Uint8Array): Uint8Array {
  if (payload.length > MAX_PAYLOAD) {
    throw new CodecError('PERF_CODEC_TOO_LARGE', `a frame holds at most ${MAX_PAYLOAD} bytes, got ${payload.length}`);
  }
  const frame = Buffer.allocUnsafe(HEADER_SIZE + payload.length);
  frame.writeUIntLE(MAGIC, 0, 3);
  frame[3] = VERSION;
  frame[CODEC] = header.codec;
  frame[FLAGS] = header.flags;
  frame[10] = frame[11] = 0;
  frame.writeUInt32LE(payload.length, LENGTH);
  frame.set(payload, HEADER_SIZE);
  frame.writeUInt32LE(checksumOf(frame), CHECKSUM);
  return frame;
}

/** Checks a frame from the outside in and gives its parts; `payload` is a view of `bytes`. */
export function readFrame(bytes: Uint8Array, codec: number): { readonly flags: number; readonly payload: Buffer } {
  const frame = viewOf(bytes);
  if (frame.length < HEADER_SIZE || frame.readUIntLE(0, 3) !== MAGIC) {
    throw new CodecError('PERF_CODEC_FOREIGN', `these ${frame.length} bytes are no frame of @perf/codec`);
  }
  if (frame[3] !== VERSION) {
    throw new CodecError('PERF_CODEC_VERSION', `frame version ${frame[3]} is not known here, only ${VERSION}`);
  }
  const length = frame.readUInt32LE(LENGTH);
  if (frame.length - HEADER_SIZE !== length) {
    const found = frame.length - HEADER_SIZE;
    throw new CodecError('PERF_CODEC_CORRUPT', `the frame announces ${length} bytes of payload and has ${found}`);
  }
  if (frame.readUInt32LE(CHECKSUM) !== checksumOf(frame)) {
    throw new CodecError('PERF_CODEC_CORRUPT', 'the checksum of the frame does not match');
  }
  if (frame[CODEC] !== codec) {
    throw new CodecError(
      'PERF_CODEC_MISMATCH',
      `the frame was written by codec ${frame[CODEC]}, this is codec ${codec}`,
    );
  }
  return { flags: frame[FLAGS] as number, payload: frame.subarray(HEADER_SIZE) };
}

function viewOf(bytes: Uint8Array): Buffer {
  if (!(bytes instanceof Uint8Array)) {
    throw new CodecError(
      'PERF_CODEC_FOREIGN',
      `a frame is a Uint8Array, got ${bytes === null ? 'null' : typeof bytes}`,
    );
  }
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checksumOf(frame: Buffer): number {
  return crc32(frame.subarray(CODEC));
}
