import { serialize } from 'node:v8';
import { CodecError } from './codec-error.ts';

/** Of V8's format, which this file knows. V8 leaves it alone for years; of a later one nothing is checked. */
const VERSION = 15;
const isKnown: boolean = /*@__PURE__*/ serialize(null)[1] === VERSION;

/** Holes of arrays that take no bytes in a payload. */
const MAX_HOLES = 1_000_000;
/** Bytes that resizable buffers may grow to, all together. */
const MAX_ROOM: number = 2 ** 32;

/**
 * Walks a payload of V8's format and throws if it asks for much more memory than it has bytes: an array of millions of holes takes five, and a second and a hundred megabytes
 * to make. What is not well-formed is left to V8 to refuse.
 */
export function checkMemory(payload: Uint8Array): void {
  if (!isKnown) return;
  if (payload[0] !== 0xff || payload[1] !== VERSION) {
    throw new CodecError('PERF_CODEC_CORRUPT', `the payload does not start as version ${VERSION} of V8's format does`);
  }
  new Walk(payload).value();
}

/** What follows a tag, as V8's `value-serializer.cc` has it. */
const NOTHING = 1;
/** The rest of the value. */
const MORE = 2;
const NUMBER = 3;
const EIGHT_BYTES = 4;
/** A number of bytes, and the bytes. */
const SIZED = 5;
const OPENING = 6;
const CLOSING = 7;
/** Two numbers, which end an array. */
const CLOSING_ARRAY = 8;
/** Anything else, looked at by its tag. */
const SPECIAL = 9;

/** By tag; 0 for what is not one. */
const KINDS: Uint8Array = /*@__PURE__*/ kindsOf({
  '-_0TFyx': NOTHING, // a hole, undefined, null, booleans and their objects
  '\0s': MORE, // padding, the object of a text
  'IU^': NUMBER, // integers, an object that was there before
  NDn: EIGHT_BYTES, // numbers, dates
  '"cSB': SIZED, // texts, an ArrayBuffer
  "o;'": OPENING, // objects, maps, sets
  '{:,': CLOSING,
  '$@': CLOSING_ARRAY,
  '?AaZz\\~VRr': SPECIAL,
});

function kindsOf(tags: Readonly<Record<string, number>>): Uint8Array {
  const kinds = new Uint8Array(256);
  for (const [letters, kind] of Object.entries(tags)) {
    for (const letter of letters) kinds[letter.charCodeAt(0)] = kind;
  }
  return kinds;
}

class Walk {
  readonly #bytes: Uint8Array;
  #at = 2;
  #items = 0;
  #holes = 0;
  #room = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** One value and all that is inside of it, or as much as can be understood. The common kinds are looked at in variables of its own, for speed. */
  value(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let depth = 0;
    while (at < bytes.length) {
      const tag = bytes[at++] as number;
      switch (KINDS[tag] as number) {
        case NOTHING:
          break;
        case MORE:
          continue;
        case NUMBER:
          at = afterNumber(bytes, at);
          break;
        case EIGHT_BYTES:
          at += 8;
          break;
        case SIZED:
          at = this.#afterSized(at);
          break;
        case OPENING:
          depth++;
          break;
        case CLOSING_ARRAY:
          at = afterNumber(bytes, afterNumber(bytes, at));
          depth--;
          break;
        case CLOSING:
          at = afterNumber(bytes, at);
          depth--;
          break;
        default:
          this.#at = at;
          depth += this.#special(tag);
          at = this.#at;
      }
      if (depth <= 0) break;
    }
    this.#at = at;
  }

  #afterSized(at: number): number {
    const size = this.#bytes[at] as number;
    if (size < 0x80) return at + 1 + size;
    this.#at = at;
    return this.#number() + this.#at;
  }

  /** @returns whether it is the start of a value with others inside */
  #special(tag: number): 0 | 1 {
    switch (String.fromCharCode(tag)) {
      case 'A': // an array
        this.#addItems(this.#number());
        return 1;
      case 'a': // an array with holes
        this.#addHoles(this.#number());
        return 1;
      case '\\': // a typed array, as Node.js writes it
        this.#number();
        this.#at = this.#afterSized(this.#at);
        return 0;
      case '~': // a resizable ArrayBuffer
        this.#resizable();
        return 0;
      case 'V': // a view, as V8 writes it
        this.#at++;
        for (let times = 0; times < 3; times++) this.#number();
        return 0;
      case '?': // a number of objects, before the value
        this.#number();
        this.value();
        return 0;
      case 'R':
        this.value();
        this.#number();
        return 0;
      case 'r':
        this.#error();
        return 0;
      case 'Z': // a bigint, and its object; the lowest bit is the sign
      case 'z':
        this.#skip(Math.floor(this.#number() / 2));
        return 0;
      default: // Nothing after it is understood.
        this.#at = this.#bytes.length;
        return 0;
    }
  }

  #error(): void {
    while (this.#at < this.#bytes.length) {
      switch (String.fromCharCode(this.#bytes[this.#at++] as number)) {
        case '.':
          return;
        case 'm': // a message, a cause, a stack
        case 'c':
        case 's':
          this.value();
          break;
        default: // its class
      }
    }
  }

  #resizable(): void {
    const size = this.#number();
    this.#room += this.#number();
    if (this.#room > MAX_ROOM) throw tooLarge('resizable buffers');
    this.#skip(size);
  }

  /** Each item has at least one byte, which is no other array's. */
  #addItems(length: number): void {
    this.#items += length;
    if (this.#items > this.#bytes.length) {
      throw new CodecError('PERF_CODEC_CORRUPT', 'this is no V8 value: it announces more items than it has bytes');
    }
  }

  #addHoles(length: number): void {
    this.#holes += length;
    if (this.#holes > MAX_HOLES + this.#bytes.length) throw tooLarge('holes');
  }

  #skip(size: number): void {
    this.#at += size;
  }

  /** Seven bits a byte, the lowest first. */
  #number(): number {
    const first = this.#bytes[this.#at++] ?? 0;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let factor = 128; ; factor *= 128) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }
}

function afterNumber(bytes: Uint8Array, at: number): number {
  let next = at;
  while ((bytes[next++] as number) > 0x7f);
  return next;
}

function tooLarge(what: string): CodecError {
  return new CodecError('PERF_CODEC_TOO_LARGE', `the payload asks for far more memory than it has bytes: ${what}`);
}
