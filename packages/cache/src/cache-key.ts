/** What a {@link TieredCache} takes as a key: a primitive, told apart as a `Map` does (`1` is not `'1'`, `0` is `-0`). */
export type CacheKey = string | number | bigint | boolean | null | undefined;

/** Marks what is no plain string; strings that start with it get one more. */
const MARK = '#';
/** After the mark: a string with lone surrogates, which UTF-8 would make alike, as JSON. */
const ESCAPED = 'j';

/** @throws TypeError for an object, a function and a symbol */
export function checkKey(key: CacheKey): void {
  if (typeof key === 'object' ? key !== null : typeof key === 'function' || typeof key === 'symbol') {
    throw new TypeError(
      `a cache key must be a string or another primitive, got ${typeof key === 'object' ? 'an' : 'a'} ${typeof key}`,
    );
  }
}

/** The key as a store and a bus know it. Strings stay readable, and no two keys become the same text. */
export function toStoreKey(key: CacheKey): string {
  checkKey(key);
  if (typeof key === 'bigint') return `${MARK}${key}n`;
  if (typeof key !== 'string') return MARK + String(key);
  if (!key.isWellFormed()) return MARK + ESCAPED + JSON.stringify(key);
  return key.startsWith(MARK) ? MARK + key : key;
}

/** The key that {@link toStoreKey} made `text` of. Any text gives a key, and none throws. */
export function fromStoreKey(text: string): CacheKey {
  if (!text.startsWith(MARK)) return text;
  const rest = text.slice(1);
  if (rest.startsWith(MARK)) return rest;
  if (rest.startsWith(ESCAPED)) return unescaped(rest.slice(1)) ?? text;
  switch (rest) {
    case 'null':
      return null;
    case 'undefined':
      return undefined;
    case 'true':
      return true;
    case 'false':
      return false;
    default:
      return /^-?\d+n$/.test(rest) ? BigInt(rest.slice(0, -1)) : Number(rest);
  }
}

function unescaped(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
