import { crc32 } from 'node:zlib';

/** A frame with a valid checksum around any payload: what a forger would write. */
export function reframe(frame: Uint8Array, payload: Uint8Array, flags = frame[9] ?? 0): Buffer {
  const forged = Buffer.concat([frame.subarray(0, 16), payload]);
  forged[9] = flags;
  forged.writeUInt32LE(payload.length, 12);
  forged.writeUInt32LE(crc32(forged.subarray(8)), 4);
  return forged;
}
