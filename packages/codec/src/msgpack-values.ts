import { CodecError } from './codec-error.ts';

/** Throws unless MessagePack brings `value` back as it is: msgpackr itself would change a `Map` or a function in silence. */
export function checkPackable(value: unknown): void {
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'number':
    case 'bigint': // its range is checked by msgpackr
      return;
    case 'string':
      if (!value.isWellFormed()) refuse('a string with a lone surrogate');
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
    if (!key.isWellFormed()) refuse('a key with a lone surrogate');
    checkPackable((value as Record<string, unknown>)[key]);
  }
}

function nameOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown };
  return typeof constructor === 'function' ? constructor.name : 'an unknown class';
}

function refuse(what: string): never {
  throw new CodecError('PERF_CODEC_ENCODE', `MessagePack cannot carry ${what}`);
}
