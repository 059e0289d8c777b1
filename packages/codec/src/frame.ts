import { crc32 } from 'node:zlib';
import { CodecError } from './codec-error.ts';

/**
 * The layout of a frame; integers are little-endian.
 *
 * ```
 *  0  magic     C1 50 46   C1 starts neither UTF-8 nor MessagePack nor a compressed stream
 *  3  version   1
 *  4  codec     the codec's id
 *  5  flags     low 2 bits: compression; the rest is zero
 *  6  reserved  zero, zero
 *  8  length    of the payload, 32 bits
 * 12  checksum  CRC-32 of bytes 0 to 11 and of the payload
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
  frame[4] = header.codec;
  frame[5] = header.flags;
  frame[6] = frame[7] = 0;
  frame.writeUInt32LE(payload.length, 8);
  frame.set(payload, HEADER_SIZE);
  frame.writeUInt32LE(checksumOf(frame, payload), 12);
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
  const length = frame.readUInt32LE(8);
  if (frame.length - HEADER_SIZE !== length) {
    const found = frame.length - HEADER_SIZE;
    throw new CodecError('PERF_CODEC_CORRUPT', `the frame announces ${length} bytes of payload and has ${found}`);
  }
  const payload = frame.subarray(HEADER_SIZE);
  if (frame.readUInt32LE(12) !== checksumOf(frame, payload)) {
    throw new CodecError('PERF_CODEC_CORRUPT', 'the checksum of the frame does not match');
  }
  if (frame[4] !== codec) {
    throw new CodecError('PERF_CODEC_MISMATCH', `the frame was written by codec ${frame[4]}, this is codec ${codec}`);
  }
  return { flags: frame[5] as number, payload };
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

/** The header's part is computed here: a view of it and a native call would take longer, and be more to collect. */
function checksumOf(frame: Buffer, payload: Uint8Array): number {
  let header = -1;
  for (let at = 0; at < 12; at++) {
    header = (header >>> 8) ^ (REMAINDERS[(header ^ (frame[at] as number)) & 0xff] as number);
  }
  return crc32(payload, ~header >>> 0);
}

/** Of each byte by the polynomial of CRC-32. */
const REMAINDERS: Int32Array = /*@__PURE__*/ Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
  return remainder;
});
