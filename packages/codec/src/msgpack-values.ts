import { CodecError } from './codec-error.ts';

/**
 * Throws unless MessagePack brings `value` back as it is: msgpackr itself would change a `Map` or a function in silence. Texts are left to
 * {@link checkTexts}.
 */
export function checkPackable(value: unknown): void {
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'number':
    case 'bigint': // its range is checked by msgpackr
    case 'string':
      return;
    case 'object':
      if (value !== null) checkObject(value);
      return;
    case 'symbol':
    case 'function':
      return refuse(`a ${typeof value}`);
    default:
      throw new TypeError(`unknown type ${typeof value}`);
  }
}

function checkObject(value: object): void {
  if (Array.isArray(value)) {
    // Not `for … of`: this is half of what it costs to look at small values.
    for (let index = 0; index < value.length; index++) checkPackable(value[index]);
    return;
  }
  if (value instanceof Uint8Array || value instanceof Date) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuse(`an instance of ${nameOf(value)}`);
  // What it may inherit is looked at in vain: members of `Object.prototype` are not enumerable where all is well.
  for (const key in value) {
    if (key === '__proto__') refuse('a member named __proto__');
    checkPackable((value as Record<string, unknown>)[key]);
  }
}

/** In UTF-8, lone surrogates start with the first of these, or have been replaced by what starts with the other. */
const SUSPECTS = [0xed, 0xef];

/** Throws if a text of `value` has a lone surrogate, which is lost in UTF-8. Only looks where `packed` may have got one: looking at each text takes as long as packing it. */
export function checkTexts(value: unknown, packed: Uint8Array): void {
  if (SUSPECTS.some((byte) => packed.includes(byte))) checkEachText(value);
}

/** Of what {@link checkPackable} has let through. */
function checkEachText(value: unknown): void {
  if (typeof value === 'string' && !value.isWellFormed()) refuse('a string with a lone surrogate');
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return;
  if (Array.isArray(value)) {
    for (const item of value) checkEachText(item);
    return;
  }
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed()) refuse('a key with a lone surrogate');
    checkEachText((value as Record<string, unknown>)[key]);
  }
}

function nameOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown };
  return typeof constructor === 'function' ? constructor.name : 'an unknown class';
}

function refuse(what: string): never {
  throw new CodecError('PERF_CODEC_ENCODE', `MessagePack cannot carry ${what}`);
}
