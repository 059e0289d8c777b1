import { CodecError } from './codec-error.ts';

/** The extensions {@link msgpackCodec} writes: a timestamp, and msgpackr's `undefined`. */
const TIMESTAMP = 0xff;
const UNDEFINED = 0x00;

/**
 * Walks a MessagePack payload without building anything and throws unless it is one whole value. A decoder that trusts an array header of five bytes
 * allocates for four billion items; here every announced item must still have a byte of its own.
 */
export function checkBounds(payload: Buffer): void {
  let pending = 1;
  let at = 0;
  while (pending > 0) {
    if (at >= payload.length) fail('it ends early');
    const { next, items } = readToken(payload, at);
    pending += items - 1;
    at = next;
    if (pending > payload.length - at) fail('it announces more items than it has bytes');
  }
  if (at !== payload.length) fail('bytes follow the value');
}

interface Token {
  /** Where the next token starts. */
  readonly next: number;
  /** How many values belong to this one. */
  readonly items: number;
}

/** One token, as the MessagePack specification lays them out (github.com/msgpack/msgpack/blob/master/spec.md). */
function readToken(payload: Buffer, at: number): Token {
  const head = payload[at] as number;
  const body = at + 1;
  if (head <= 0x7f || head >= 0xe0) return { next: body, items: 0 }; // an integer of a few bits
  if (head <= 0x8f) return { next: body, items: 2 * (head & 0x0f) }; // a short map
  if (head <= 0x9f) return { next: body, items: head & 0x0f }; // a short array
  if (head <= 0xbf) return { next: body + (head & 0x1f), items: 0 }; // a short string
  if (head === 0xc0 || head === 0xc2 || head === 0xc3) return { next: body, items: 0 }; // nil, false, true
  if (head >= 0xc4 && head <= 0xc6) return skip(payload, body, 1 << (head - 0xc4)); // bytes
  if (head === 0xc7) return extension(payload, { type: body + 1, size: readSize(payload, body, 1) });
  if (head === 0xca || head === 0xcb) return { next: body + (4 << (head - 0xca)), items: 0 }; // a float
  if (head >= 0xcc && head <= 0xcf) return { next: body + (1 << (head - 0xcc)), items: 0 }; // an unsigned integer
  if (head >= 0xd0 && head <= 0xd3) return { next: body + (1 << (head - 0xd0)), items: 0 }; // an integer
  if (head === 0xd4 || head === 0xd6 || head === 0xd7)
    return extension(payload, { type: body, size: 1 << (head - 0xd4) });
  if (head >= 0xd9 && head <= 0xdb) return skip(payload, body, 1 << (head - 0xd9)); // a string
  if (head >= 0xdc) return container(payload, head, body);
  return fail(`byte ${head} starts no value`);
}

/** Arrays are 0xdc and 0xdd, maps 0xde and 0xdf: a size of two bytes or of four. */
function container(payload: Buffer, head: number, body: number): Token {
  const width = head % 2 === 0 ? 2 : 4;
  const size = readSize(payload, body, width);
  return { next: body + width, items: head <= 0xdd ? size : 2 * size };
}

function skip(payload: Buffer, at: number, width: number): Token {
  return { next: at + width + readSize(payload, at, width), items: 0 };
}

function extension(payload: Buffer, { type, size }: { readonly type: number; readonly size: number }): Token {
  const isDate = payload[type] === TIMESTAMP && (size === 1 || size === 4 || size === 8 || size === 12);
  const isUndefined = payload[type] === UNDEFINED && size === 1;
  if (!isDate && !isUndefined) fail(`extension ${payload[type]} of ${size} bytes is not known`);
  return { next: type + 1 + size, items: 0 };
}

function readSize(payload: Buffer, at: number, width: number): number {
  if (at + width > payload.length) fail('it ends early');
  return payload.readUIntBE(at, width);
}

function fail(why: string): never {
  throw new CodecError('PERF_CODEC_CORRUPT', `this is no MessagePack value: ${why}`);
}
