/** What a {@link TieredCache} takes as a key: a primitive, told apart as a `Map` does (`1` is not `'1'`, `0` is `-0`). */
export type CacheKey = string | number | bigint | boolean | null | undefined;

/** Marks what is no plain string; strings that start with it get one more. */
const MARK = '#';

/** The key as a store and a bus know it. Strings stay readable, and no two keys become the same text. */
export function toStoreKey(key: CacheKey): string {
  if (typeof key === 'string') return key.startsWith(MARK) ? MARK + key : key;
  if (typeof key === 'bigint') return `${MARK}${key}n`;
  if (typeof key === 'object' ? key !== null : typeof key === 'function' || typeof key === 'symbol') {
    throw new TypeError(`a cache key must be a string or another primitive, got a ${typeof key}`);
  }
  return MARK + String(key);
}

/** The key that {@link toStoreKey} made `text` of. Any text gives a key, and none throws. */
export function fromStoreKey(text: string): CacheKey {
  if (!text.startsWith(MARK)) return text;
  const rest = text.slice(1);
  if (rest.startsWith(MARK)) return rest;
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
