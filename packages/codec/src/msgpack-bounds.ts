import { CodecError } from './codec-error.ts';

/** The extensions {@link msgpackCodec} writes: a timestamp, and msgpackr's `undefined`. */
const TIMESTAMP = 0xff;
const UNDEFINED = 0x00;

const NONE = -1;
const SIZED = -2;
const CONTAINER = -3;
const EXTENSION = -4;

interface Tokens {
  /** By the first byte of a token: how many bytes follow it, or one of the kinds above. */
  readonly sizes: Int8Array;
  /** By the first byte of a token: how many values belong to it. */
  readonly items: Uint8Array;
}

/** As the MessagePack specification lays them out (github.com/msgpack/msgpack/blob/master/spec.md). */
function layOut(): Tokens {
  const sizes = new Int8Array(256);
  const items = new Uint8Array(256);
  for (let size = 0; size < 16; size++) {
    items[0x80 + size] = 2 * size; // a short map
    items[0x90 + size] = size; // a short array
  }
  for (let size = 0; size < 32; size++) sizes[0xa0 + size] = size; // a short string
  sizes[0xc1] = NONE;
  sizes.fill(SIZED, 0xc4, 0xc7); // bytes
  sizes.fill(EXTENSION, 0xc7, 0xca);
  sizes.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca); // floats, unsigned integers, integers
  sizes.fill(EXTENSION, 0xd4, 0xd9);
  sizes.fill(SIZED, 0xd9, 0xdc); // strings
  sizes.fill(CONTAINER, 0xdc, 0xe0); // arrays and maps
  return { sizes, items };
}

const TOKENS: Tokens = /*@__PURE__*/ layOut();

/**
 * Walks a MessagePack payload without building anything and throws unless it is one whole value. A decoder that trusts an array header of five bytes
 * allocates for four billion items; here every announced item must still have a byte of its own.
 */
export function checkBounds(payload: Buffer): void {
  const { sizes, items } = TOKENS;
  let pending = 1;
  let at = 0;
  while (pending > 0) {
    if (at >= payload.length) fail('it ends early');
    const head = payload[at++] as number;
    const size = sizes[head] as number;
    pending += (items[head] as number) - 1;
    if (size >= 0) at += size;
    else if (size === SIZED) at = endOfBytes(payload, head, at);
    else if (size === CONTAINER) {
      const width = head % 2 === 0 ? 2 : 4;
      pending += readSize(payload, at, width) * (head <= 0xdd ? 1 : 2);
      at += width;
    } else if (size === EXTENSION) at = endOfExtension(payload, head, at);
    else fail(`byte ${head} starts no value`);
    if (pending > payload.length - at) fail('it announces more items than it has bytes');
  }
  if (at !== payload.length) fail('bytes follow the value');
}

function endOfBytes(payload: Buffer, head: number, at: number): number {
  const width = 1 << (head - (head < 0xd9 ? 0xc4 : 0xd9));
  return at + width + readSize(payload, at, width);
}

/** 0xc7 has its size in a byte; 0xd4 and up have one of a power of two. */
function endOfExtension(payload: Buffer, head: number, at: number): number {
  const type = head === 0xc7 ? at + 1 : at;
  const size = head === 0xc7 ? readSize(payload, at, 1) : 1 << (head - 0xd4);
  const isDate = payload[type] === TIMESTAMP && (size === 1 || size === 4 || size === 8 || size === 12);
  const isUndefined = payload[type] === UNDEFINED && size === 1;
  if (head === 0xc8 || head === 0xc9 || (!isDate && !isUndefined)) {
    fail(`extension ${payload[type]} of ${size} bytes is not known`);
  }
  return type + 1 + size;
}

function readSize(payload: Buffer, at: number, width: number): number {
  if (at + width > payload.length) fail('it ends early');
  return payload.readUIntBE(at, width);
}

function fail(why: string): never {
  throw new CodecError('PERF_CODEC_CORRUPT', `this is no MessagePack value: ${why}`);
}
