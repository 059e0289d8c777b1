import { randomBytes } from 'node:crypto';

/**
 * What is stored under a key. A deletion is stored as well, for a while: without it, a value that was loaded before the deletion could not be told from one that was loaded after.
 *
 * ```
 *  0  format      1
 *  1  kind        V, a value, or T, where one was (a tombstone)
 *  2  generation  16 characters; the namespace's at the time of writing
 * 18  version     16 characters, random
 * 34  overtime    milliseconds the key outlives its value, as a little-endian double
 * 42  bytes
 * ```
 */
export const STATE_SIZE = 34;
const HEADER_SIZE = 42;
const FORMAT = 1;

/** A value as it is stored. */
export interface RedisValue {
  readonly generation: string;
  readonly overtime: number;
  readonly bytes: Uint8Array;
}

/** 16 characters that nobody else has made. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

export function packValue({ generation, overtime, bytes }: RedisValue): Buffer {
  return Buffer.concat([pack('V', generation, overtime), bytes]);
}

export function packTombstone(): Buffer {
  return pack('T', '0'.repeat(16), 0);
}

/** `undefined` for a tombstone, and for what is not ours. */
export function unpackValue(raw: Buffer): RedisValue | undefined {
  if (raw.length < HEADER_SIZE || raw[0] !== FORMAT || raw[1] !== 'V'.charCodeAt(0)) return undefined;
  return {
    generation: raw.toString('latin1', 2, 18),
    overtime: raw.readDoubleLE(STATE_SIZE),
    bytes: raw.subarray(HEADER_SIZE),
  };
}

/** Tells what is stored from anything that was stored before or will be. Empty when nothing is. */
export function stateOf(raw: Buffer | null): Buffer {
  return raw === null ? Buffer.alloc(0) : raw.subarray(0, STATE_SIZE);
}

function pack(kind: 'V' | 'T', generation: string, overtime: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header[0] = FORMAT;
  header.write(kind + generation + randomId(), 1, 'latin1');
  header.writeDoubleLE(overtime, STATE_SIZE);
  return header;
}
